"""Revisions a site writes for itself: the tables of each model it adds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from db.engine import Database
from db.errors import SettingsError
from db.schema import HEAD
from db.settings import Settings
from migrations.upgrade import migrating, scripts, site_revisions, upgrade

TEMPLATE = '''\
"""Model {name}: {what}."""

from alembic import op

revision = {revision!r}
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = {depends!r}


def upgrade() -> None:
{up}

def downgrade() -> None:
{down_body}
'''


@dataclass(frozen=True)
class NewModel:
    name: str  # names its tables: [a-z][a-z0-9_]*, at most 40 characters
    source: str
    revision: str
    dimension: int


def add_model(
    database: Database, settings: Settings, model: NewModel, on_progress: Callable[[str], None] = lambda _: None
) -> list[Path]:
    """Write the model's revisions and apply them. Returns the files written; none if the model was there already.

    Raises SettingsError when the name is taken by other weights or another dimension.
    """
    upgrade(database, settings, on_progress)
    with migrating(database, settings) as (_, conn, _):
        known = conn.execute(
            text("select source, revision, dimension from shop.model where name = :name"), {"name": model.name}
        ).one_or_none()
        conn.rollback()
        if known is not None and (known.revision, known.dimension) != (model.revision, model.dimension):
            raise SettingsError(
                f"model {model.name} is already there with other weights: revision {known.revision} of "
                f"{known.dimension} dimensions, not {model.revision} of {model.dimension}",
                hint="Vectors of different weights never mix. Add this one under another name: --as NAME.",
            )
        written = [] if known is not None else _write(settings.home, model)
    upgrade(database, settings, on_progress)
    return written


def _write(home: Path, model: NewModel) -> list[Path]:
    script = scripts(home)
    heads = [head for head in script.get_heads() if head.startswith("model_")]
    first, second = f"model_{model.name}", f"model_{model.name}_index"
    folder = site_revisions(home)
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _render(
            folder,
            revision=first,
            what=f"tables for {model.dimension} dimensions",
            name=model.name,
            down=heads[0] if heads else None,
            labels=None if heads else ("site",),
            depends=HEAD,
            up=[
                f"op.create_embedding_tables({model.name!r}, {model.dimension})",
                "op.execute(",
                '    "insert into shop.model (name, source, revision, dimension) "',
                f'    "values ({_literal(model.name)}, {_literal(model.source)}, '
                f'{_literal(model.revision)}, {model.dimension})"',
                ")",
            ],
            down_body=[f"op.drop_embedding_tables({model.name!r}, {model.dimension})"],
        ),
        _render(
            folder,
            revision=second,
            what="indexes, and the catalog on its work list",
            name=model.name,
            down=first,
            labels=None,
            depends=None,
            up=[
                f"op.create_hnsw_index({model.name + '_image_hnsw'!r}, {model.name + '_image'!r})",
                f"op.create_hnsw_index({model.name + '_title_hnsw'!r}, {model.name + '_title'!r})",
                f"op.list_catalog({model.name!r})",
            ],
            down_body=[
                f"op.drop_hnsw_index({model.name + '_title_hnsw'!r}, {model.name + '_title'!r})",
                f"op.drop_hnsw_index({model.name + '_image_hnsw'!r}, {model.name + '_image'!r})",
            ],
        ),
    ]


def _render(folder: Path, *, revision: str, up: list[str], down_body: list[str], **fields: object) -> Path:
    path = folder / f"{revision}.py"
    body = TEMPLATE.format(revision=revision, up=_indent(up), down_body=_indent(down_body).rstrip("\n"), **fields)
    path.write_text(body, encoding="utf-8")
    return path


def _indent(lines: list[str]) -> str:
    return "".join(f"    {line}\n" for line in lines)


def _literal(value: str) -> str:
    """A string as an SQL literal inside a double-quoted Python one. Colons would be taken for bind parameters."""
    return "'" + value.replace("'", "''").replace("\\", "\\\\").replace('"', '\\"').replace(":", "\\\\:") + "'"
