"""Lists the HNSW indexes of every model that has tables, with their parameters and whether search may use them.

Also reports the progress of index builds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection, text

if TYPE_CHECKING:  # a load needs this module, but no numpy
    from db.work.items import Part


@dataclass(frozen=True, slots=True)
class IndexState:
    """An HNSW index. `progress` is the completed share of the present phase of a running build, or None (see
    `building`).

    `deferred` is true while the table is filled without the index (see deferred_indexes.py).
    """

    model: str
    part: "Part"
    name: str
    rows: int  # estimated rows of the table, or of the index of a label
    size: int  # bytes on disk
    m: int
    ef_construction: int
    valid: bool
    progress: float | None
    deferred: bool = False
    label: str | None = None  # the field and value of an index that has only the vectors of products with this value
    quantize: Literal["none", "bit"] = "none"  # bit: the index has only the sign of each number of a vector

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
        coalesce((select option_value::integer from pg_options_to_table(c.reloptions) where option_name = 'm'), 16),
        coalesce((select option_value::integer from pg_options_to_table(c.reloptions)
                  where option_name = 'ef_construction'), 64),
        i.indisvalid, l.field || ' = ' || (l.value #>> '{}'), case a.atttypid when 'bit'::regtype then 'bit'
            else 'none' end, c.oid
    from shop.model m
    cross join (values ('image'), ('title')) as parts(part)
    join pg_index i on i.indrelid in (to_regclass(format('shop.%I', m.name || '_' || part)),
        to_regclass(format('shop.%I', m.name || '_' || part || '_label')))
    join pg_class c on c.oid = i.indexrelid
    left join shop.label_index l on c.relname = m.name || '_' || part || '_label_' || l.label_id
    join pg_am h on h.oid = c.relam and h.amname = 'hnsw'
    join pg_attribute a on a.attrelid = c.oid and a.attnum = 1
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
    for model, part, name, rows, size, m, ef_construction, valid, label, quantize, oid in conn.execute(_INDEXES):
        progress = None if valid else building.get(oid)
        deferred = deferred_rows.pop(name, None) is not None
        found.append(
            IndexState(model, part, name, rows, size, m, ef_construction, valid, progress, deferred, label, quantize)
        )
    for model, part, name, rows, definition, label in deferred_rows.values():
        given = dict(re.findall(r"(m|ef_construction)='?(\d+)", definition))
        m, ef_construction = int(given.get("m", 16)), int(given.get("ef_construction", 64))
        state = IndexState(model, part, name, rows, 0, m, ef_construction, False, None, True, label)
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
