"""Rebuilds HNSW indexes with other parameters, while search continues with the old indexes."""

from collections.abc import Callable
from pathlib import Path

from db.engine import Database
from db.errors import DatabaseError, SettingsError
from db.lifecycle.indexes import every_index
from db.lifecycle.promotion import serving_name
from db.settings import Settings
from migrations.model_revisions import revise
from migrations.upgrade import migrating, upgrade


def rebuild_indexes(
    database: Database,
    settings: Settings,
    *,
    model: str | None = None,
    m: int = 16,
    ef_construction: int = 64,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write and apply a revision that rebuilds both indexes of a model (default: the serving model). Returns the file.

    Raises SettingsError if ef_construction is less than twice m. Raises DatabaseError if the model has no indexes, or
    if no model is given and none is serving.
    """
    if ef_construction < 2 * m:
        raise SettingsError(
            f"ef_construction {ef_construction} is less than {2 * m}, twice m",
            hint="pgvector refuses such values.",
        )
    upgrade(database, settings, on_progress)
    with migrating(database, settings) as (_, conn, _):
        name = model or serving_name(conn)
        indexes = [
            index
            for index in every_index(conn, {})
            if index.model == name and index.label is None and not index.name.endswith("_next")
        ]
        conn.rollback()
        if name is None or not indexes:
            raise DatabaseError(
                f"model {name} has no indexes" if name else "no model is serving", hint='See "windowshop model status".'
            )
        up = [_rebuild(index.name, m, ef_construction, (index.m, index.ef_construction)) for index in indexes]
        down = [_rebuild(index.name, index.m, index.ef_construction, (m, ef_construction)) for index in indexes]
        what = f"rebuilds its indexes with m {m} and ef_construction {ef_construction}"
        written = revise(settings.home, "reindex", name, what, up, down)
    upgrade(database, settings, on_progress)
    return written


def _rebuild(index: str, m: int, ef_construction: int, was: tuple[int, int]) -> str:
    table = index.removesuffix("_hnsw")
    return f'op.rebuild_hnsw_index("{index}", "{table}", m={m}, ef_construction={ef_construction}, was={was})'
