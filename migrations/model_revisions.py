"""Writes the revisions of a site, which create the tables of each added model and change these tables later.

model_<name>, model_<name>_index          add a model
site_<number>_<doing>_<name>              change the model later
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from db.engine import Database
from db.errors import SettingsError
from db.schema import HEAD
from db.settings import Settings
from migrations.upgrade import migrating, scripts, site_revisions, upgrade

# The name of a model must not end with _index, because model_toy_index is the second revision of the model toy.
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}(?<!_index)")
TAKEN = ("product", "searchable")  # refused names: shop.product_image and shop.searchable_image exist already

TEMPLATE = '''\
"""Model {name}: {what}."""

{imports}from alembic import op

revision = {revision}
down_revision = {down}
branch_labels = {labels}
depends_on = {depends}


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


def check_name(name: str) -> None:
    """Raise SettingsError if the name cannot be part of the names of a model's tables and revisions."""
    if name in TAKEN:
        raise SettingsError(
            f"{name!r} cannot be a model name",
            hint=f"Windowshop itself has shop.{name}_image. Choose another name with --as NAME.",
        )
    if not NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} cannot be a model name",
            hint="A name has at most 40 lower-case letters, digits and _, begins with a letter and does not end with "
            "_index. Choose a name with --as NAME.",
        )


def add_model(
    database: Database, settings: Settings, model: NewModel, on_progress: Callable[[str], None] = lambda _: None
) -> list[Path]:
    """Write the model's revisions and apply them. Returns the written files.

    No file is written if the model exists and is not retired. For a retired model, the revisions create empty tables
    again.

    Raises SettingsError if `check_name` refuses the name, or if a model with this name has other weights or another
    dimension.
    """
    check_name(model.name)
    upgrade(database, settings, on_progress)
    with migrating(database, settings) as (_, conn, _):
        known = conn.execute(
            text("select source, revision, dimension, status::text from shop.model where name = :name"),
            {"name": model.name},
        ).one_or_none()
        conn.rollback()
        if known is not None and (known.revision, known.dimension) != (model.revision, model.dimension):
            raise SettingsError(
                f"model {model.name} exists already with other weights: revision {known.revision} of "
                f"{known.dimension} dimensions, not {model.revision} of {model.dimension}",
                hint="Vectors of different weights never mix. Add this model under another name: --as NAME.",
            )
        if known is None:
            written = _write(settings.home, model)
        else:
            written = _restore(settings.home, model) if known.status == "retired" else []
    upgrade(database, settings, on_progress)
    return written


def revise(
    home: Path, doing: str, name: str, what: str, up: list[str], down_body: list[str], depends: str | None = None
) -> Path:
    """Write the next revision of the site, which changes an added model. Returns the file.

    `doing` is the verb in the file's name, and `what` is the description. `depends` is a project revision that must be
    applied first. "windowshop db upgrade" applies the written revision.
    """
    folder = site_revisions(home)
    number = len(list(folder.glob("*.py"))) + 1
    head = site_head(home)
    assert head is not None  # the revisions that added the model exist
    return _render(
        folder,
        revision=f"site_{number:04d}_{doing}_{name}",
        what=what,
        name=name,
        down=_quoted(head),
        labels="None",
        depends=_quoted(depends) if depends else "None",
        up=up,
        down_body=down_body,
    )


def site_head(home: Path) -> str | None:
    script = scripts(home)
    heads = script.get_revisions(script.get_heads())
    return next((head.revision for head in heads if head and "site" in head.branch_labels), None)


def retire_lines(model: NewModel) -> tuple[str, str]:
    """Return the line that retires a model, and the line that gives the model empty tables again."""
    return (
        f"op.retire_model({_quoted(model.name)}, {model.dimension})",
        f"op.restore_model({_quoted(model.name)}, {model.dimension})",
    )


def index_lines(name: str) -> tuple[list[str], list[str]]:
    """Return the lines that index a model's tables and enqueue the catalog, and the lines that drop the indexes."""
    parts = ("image", "title")
    return (
        [
            *(f'op.create_hnsw_index("{name}_{part}_hnsw", "{name}_{part}")' for part in parts),
            f'op.list_catalog("{name}")',
        ],
        [f'op.drop_hnsw_index("{name}_{part}_hnsw", "{name}_{part}")' for part in reversed(parts)],
    )


def _restore(home: Path, model: NewModel) -> list[Path]:
    retire, restore = retire_lines(model)
    up, down_body = index_lines(model.name)
    return [
        revise(home, "restore", model.name, "creates its tables again, empty", [restore], [retire]),
        revise(home, "index", model.name, "creates its indexes and fills its work list", up, down_body),
    ]


def _write(home: Path, model: NewModel) -> list[Path]:
    head = site_head(home)
    first, second = f"model_{model.name}", f"model_{model.name}_index"
    up, down_body = index_lines(model.name)
    folder = site_revisions(home)
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _render(
            folder,
            revision=first,
            what=f"creates its tables for vectors of {model.dimension} dimensions",
            name=model.name,
            down=_quoted(head) if head else "None",
            labels="None" if head else '("site",)',
            depends=_quoted(HEAD),
            up=[
                f"op.create_embedding_tables({_quoted(model.name)}, {model.dimension})",
                "op.execute(",
                "    sa.text(",
                '        "insert into shop.model (name, source, revision, dimension) '
                'values (:name, :source, :revision, :dimension)"',
                "    ).bindparams(",
                f"        name={_quoted(model.name)},",
                f"        source={_quoted(model.source)},",
                f"        revision={_quoted(model.revision)},",
                f"        dimension={model.dimension},",
                "    )",
                ")",
            ],
            down_body=[f"op.drop_embedding_tables({_quoted(model.name)}, {model.dimension})"],
            imports="import sqlalchemy as sa\n",
        ),
        _render(
            folder,
            revision=second,
            what="creates its indexes and fills its work list",
            name=model.name,
            down=_quoted(first),
            labels="None",
            depends="None",
            up=up,
            down_body=down_body,
        ),
    ]


def _render(
    folder: Path, *, revision: str, up: list[str], down_body: list[str], imports: str = "", **fields: str
) -> Path:
    path = folder / f"{revision}.py"
    body = TEMPLATE.format(
        revision=_quoted(revision),
        up=_indent(up),
        down_body=_indent(down_body).rstrip("\n"),
        imports=imports,
        **fields,
    )
    path.write_text(body, encoding="utf-8")
    return path


def _indent(lines: list[str]) -> str:
    return "".join(f"    {line}\n" for line in lines)


def _quoted(value: str) -> str:
    """Return a Python string literal in double quotes. Every JSON string is also a Python string literal."""
    return json.dumps(value, ensure_ascii=False)
