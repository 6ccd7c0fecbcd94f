"""Rebuilds HNSW indexes with other parameters or over bits, while search continues with the old indexes."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from sqlalchemy import text

from db import schema
from db.engine import Database
from db.errors import DatabaseError, SettingsError
from db.lifecycle.indexes import IndexState, every_index
from db.lifecycle.promotion import serving_name
from db.settings import Settings
from migrations.model_revisions import revise
from migrations.upgrade import migrating, upgrade

Quantize = Literal["none", "bit"]  # what an index stores of each number of a vector: 16 bits (none), or only its sign


def rebuild_indexes(
    database: Database,
    settings: Settings,
    *,
    model: str | None = None,
    m: int = 16,
    ef_construction: int = 64,
    quantize: Quantize | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write and apply a revision that rebuilds both indexes of a model (default: the serving model). Returns the file.

    Without `quantize`, a new index is over bits if the old index is over bits, and otherwise over vectors.

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
        dimension = conn.scalar(text("select dimension from shop.model where name = :name"), {"name": name})
        conn.rollback()
        lines = []
        for index in indexes:
            bits = dimension if (quantize or index.quantize) == "bit" else None
            wanted = (m, ef_construction, bits)
            present = (index.m or 16, index.ef_construction or 64, _bits(index, dimension))
            lines.append((_rebuild(index.name, wanted, present), _rebuild(index.name, present, wanted)))
        over = {None: "", "bit": " over bits", "none": " over vectors"}[quantize]
        what = f"rebuilds its indexes{over} with m {m} and ef_construction {ef_construction}"
        up, down = [line for line, _ in lines], [line for _, line in lines]
        # Older code cannot search an index over bits, so the new revision depends on the present schema.
        depends = schema.HEAD if any("bits=" in line for line in up + down) else None
        written = revise(settings.home, "reindex", name, what, up, down, depends)
    upgrade(database, settings, on_progress)
    return written


def _bits(index: IndexState, dimension: int) -> int | None:
    return dimension if index.quantize == "bit" else None


def _rebuild(index: str, wanted: tuple[int, int, int | None], present: tuple[int, int, int | None]) -> str:
    (m, ef_construction, bits), (*was, was_bits) = wanted, present
    over = (f", bits={bits}" if bits else "") + (f", was_bits={was_bits}" if was_bits else "")
    table = index.removesuffix("_hnsw")
    parameters = f"m={m}, ef_construction={ef_construction}, was={tuple(was)}{over}"
    return f'op.rebuild_hnsw_index("{index}", "{table}", {parameters})'
