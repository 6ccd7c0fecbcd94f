"""The HNSW indexes of every model that has tables: what they are made of, whether search may use them."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from db.work import Part


@dataclass(frozen=True, slots=True)
class IndexState:
    """`progress`: the share of the table that a build has read, where one is under way and its owner is asking."""

    model: str
    part: Part
    name: str
    rows: int  # of the table, about
    size: int  # bytes
    m: int
    ef_construction: int
    valid: bool
    progress: float | None

    @property
    def state(self) -> str:
        if self.valid:
            return "valid"
        return "not valid" if self.progress is None else f"building, {self.progress:.0%}"


# A parameter that was not given is pgvector's own.
_INDEXES = text(
    """
    select m.name, part, c.relname, shop_private.row_estimate(i.indrelid), pg_relation_size(c.oid),
        coalesce((select option_value::integer from pg_options_to_table(c.reloptions) where option_name = 'm'), 16),
        coalesce((select option_value::integer from pg_options_to_table(c.reloptions)
                  where option_name = 'ef_construction'), 64),
        i.indisvalid, c.oid
    from shop.model m
    cross join (values ('image'), ('title')) as parts(part)
    join pg_index i on i.indrelid = to_regclass(format('shop.%I', m.name || '_' || part))
    join pg_class c on c.oid = i.indexrelid
    join pg_am a on a.oid = c.relam and a.amname = 'hnsw'
    order by m.model_id, part, c.relname"""
)
_BUILDING = text(
    "select index_relid, coalesce(blocks_done::float8 / nullif(blocks_total, 0), 0) from pg_stat_progress_create_index "
    "where index_relid is not null and datid = (select oid from pg_database where datname = current_database())"
)


def every_index(conn: Connection, building: Mapping[int, float]) -> list[IndexState]:
    found = []
    for model, part, name, rows, size, m, ef_construction, valid, oid in conn.execute(_INDEXES):
        progress = None if valid else building.get(oid)
        found.append(IndexState(model, part, name, rows, size, m, ef_construction, valid, progress))
    return found


def building(conn: Connection) -> dict[int, float]:
    """How far index builds have come, by the index's number. Only the builder's login and administrators are told."""
    return {row[0]: row[1] for row in conn.execute(_BUILDING)}
