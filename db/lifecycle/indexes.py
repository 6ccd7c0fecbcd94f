"""Lists the vector indexes of every model that has tables, with their parameters and whether search may use them.

Also reports the progress of index builds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection, text

from db.lifecycle.sizing import LISTED_ROWS, index_lists

if TYPE_CHECKING:  # a load needs this module, but no numpy
    from db.work.items import Part


@dataclass(frozen=True, slots=True)
class IndexState:
    """A vector index, HNSW or IVFFlat. `progress` is the completed share of the present phase of a running build, or
    None (see `building`).

    `deferred` is true while the table is filled without the index (see deferred_indexes.py).
    """

    model: str
    part: "Part"
    name: str
    rows: int  # estimated rows of the table, or of the index of a label
    size: int  # bytes on disk
    m: int | None  # None: the index is IVFFlat
    ef_construction: int | None
    valid: bool
    progress: float | None
    deferred: bool = False
    label: str | None = None  # the field and value of an index that has only the vectors of products with this value
    quantize: Literal["none", "bit"] = "none"  # bit: the index has only the sign of each number of a vector
    lists: int | None = None  # of an IVFFlat index

    @property
    def built_over(self) -> int | None:
        """The number of rows when the index over bits was built, if the table has outgrown the index; otherwise None.

        The number is 0 if the table had so few rows that the index is HNSW.
        """
        lists = self.lists or 0
        if self.quantize == "none" or not self.valid or self.rows < LISTED_ROWS or index_lists(self.rows) < 2 * lists:
            return None
        return lists**2

    @property
    def state(self) -> str:
        if self.valid:
            return "valid"
        if self.deferred and self.progress is None:
            return "deferred"
        return "not valid" if self.progress is None else f"building, {self.progress:.0%}"


# A parameter that the index does not set has pgvector's default.
_INDEXES = text(
    """
    select m.name, part, c.relname,
        case when l.label_id is null then shop_private.row_estimate(i.indrelid)
            else greatest(0, c.reltuples::bigint) end,
        pg_relation_size(c.oid),
        case h.amname when 'hnsw' then coalesce(o.m, 16) end,
        case h.amname when 'hnsw' then coalesce(o.ef_construction, 64) end,
        i.indisvalid, l.field || ' = ' || (l.value #>> '{}'), case a.atttypid when 'bit'::regtype then 'bit'
            else 'none' end, o.lists, c.oid
    from shop.model m
    cross join (values ('image'), ('title')) as parts(part)
    join pg_index i on i.indrelid in (to_regclass(format('shop.%I', m.name || '_' || part)),
        to_regclass(format('shop.%I', m.name || '_' || part || '_label')))
    join pg_class c on c.oid = i.indexrelid
    left join shop.label_index l on c.relname = m.name || '_' || part || '_label_' || l.label_id
    join pg_attribute a on a.attrelid = c.oid and a.attnum = 1
    join pg_am h on h.oid = c.relam
        and (h.amname = 'hnsw' or h.amname = 'ivfflat' and a.atttypid = 'bit'::regtype)
    cross join lateral (
        select max(option_value::integer) filter (where option_name = 'm') as m,
            max(option_value::integer) filter (where option_name = 'ef_construction') as ef_construction,
            max(option_value::integer) filter (where option_name = 'lists') as lists
        from pg_options_to_table(c.reloptions)) o
    order by m.model_id, l.label_id nulls first, part, c.relname"""
)
_DEFERRED = text(
    """
    select m.name, part, d.name,
        case when l.label_id is null
            then shop_private.row_estimate(to_regclass(format('shop.%I', d.table_name))) else 0 end,
        d.definition, l.field || ' = ' || (l.value #>> '{}')
    from shop.deferred_index d
    join shop.model m on starts_with(d.table_name, m.name)
    cross join (values ('image'), ('title')) as parts(part)
    left join shop.label_index l on d.name = m.name || '_' || part || '_label_' || l.label_id
    where d.table_name in (m.name || '_' || part, m.name || '_' || part || '_label')
        and to_regclass(format('shop.%I', d.table_name)) is not null
    order by m.model_id, l.label_id nulls first, part"""
)
_BUILDING = """
    select index_relid, phase, greatest(coalesce(blocks_done::float8 / nullif(blocks_total, 0), 0),
        coalesce(tuples_done::float8 / nullif(tuples_total, 0), 0))
    from pg_stat_progress_create_index
    where index_relid is not null and datid = (select oid from pg_database where datname = current_database())"""


def every_index(conn: Connection, building: Mapping[int, float]) -> list[IndexState]:
    found = []
    deferred_rows = {row.name: row for row in conn.execute(_DEFERRED)}
    for model, part, name, rows, size, m, ef_construction, valid, label, quantize, lists, oid in conn.execute(_INDEXES):
        progress = None if valid else building.get(oid)
        deferred = deferred_rows.pop(name, None) is not None
        found.append(
            IndexState(
                model, part, name, rows, size, m, ef_construction, valid, progress, deferred, label, quantize, lists
            )
        )
    for model, part, name, rows, definition, label in deferred_rows.values():
        given = {key: int(value) for key, value in re.findall(r"(m|ef_construction|lists)='?(\d+)", definition)}
        lists = given.get("lists")
        m, ef_construction = (None, None) if lists else (given.get("m", 16), given.get("ef_construction", 64))
        state = IndexState(model, part, name, rows, 0, m, ef_construction, False, None, True, label, lists=lists)
        found.append(replace(state, quantize="bit" if "bit_hamming_ops" in definition else "none"))
    return found


def building(conn: Connection) -> dict[int, float]:
    """Return the progress of index builds by index oid.

    PostgreSQL shows a build only to the builder's login and to logins with the rights of pg_read_all_stats.
    """
    return {oid: share for oid, _, share in conn.execute(text(_BUILDING))}


def progress_of(conn: Connection, name: str) -> tuple[str, float] | None:
    """Return the phase of an index build and the completed share of that phase, or None if no build runs."""
    row = conn.execute(
        text(f"{_BUILDING} and index_relid = to_regclass(:name)"), {"name": f'shop."{name}"'}
    ).one_or_none()
    return None if row is None else (row[1], row[2])
