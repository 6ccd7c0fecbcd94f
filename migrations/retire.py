"""Retires a model: writes revisions that drop its indexes and tables, and applies them. A downgrade reverses them."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from db.engine import Database
from db.errors import DatabaseError
from db.settings import Settings
from migrations.model_revisions import NewModel, index_lines, retire_lines, revise
from migrations.upgrade import migrating, upgrade


def retire_model(
    database: Database, settings: Settings, name: str, on_progress: Callable[[str], None] = lambda _: None
) -> list[Path]:
    """Write and apply the revisions that retire a model. Returns the files, or none if the model is retired already.

    Raises DatabaseError if the model does not exist or is serving.
    """
    upgrade(database, settings, on_progress)
    with migrating(database, settings) as (_, conn, _):
        known = conn.execute(
            text("select source, revision, dimension, status::text from shop.model where name = :name"), {"name": name}
        ).one_or_none()
        conn.rollback()
        if known is None:
            raise DatabaseError(f"there is no model {name}", hint='See "windowshop model status".')
        if known.status == "serving":
            raise DatabaseError(
                f"model {name} is serving", hint='Promote another model first: "windowshop model promote NAME".'
            )
        if known.status == "retired":
            return []
        retire, restore = retire_lines(NewModel(name, known.source, known.revision, known.dimension))
        listed, unindexed = index_lines(name)
        written = [
            revise(settings.home, "unindex", name, "drops its indexes", unindexed, listed),
            revise(settings.home, "retire", name, "drops its tables", [retire], [restore]),
        ]
    upgrade(database, settings, on_progress)
    return written
