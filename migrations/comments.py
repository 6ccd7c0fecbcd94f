"""Sets the comments of tables and of public functions, views and types at every upgrade. psql shows the comments with
`\\d+` and `\\df+`.

Each comment comes from one place:

    tables and their columns        `comment=` in `db/tables/`
    embedding tables of a model     `_EMBEDDING`
    functions, views and types      the header of the file in `db/functions/`
    objects that revisions create   `_OF_REVISIONS`
    tables of labelled vectors      `operations/labels.py`

COMMENT ON in the files of `db/functions/` sets the comments of the columns of views and types.
"""

import re
from collections.abc import Iterable, Iterator

from psycopg import sql
from sqlalchemy import Connection, text

from db.tables import SHOP, metadata

_EMBEDDING = {
    "": "The {part} vectors of a model, with a row for each encoded {part}.",
    "product_id": "key of the product",
    "position": "position of the image",
    "embedding": "vector of the {part}, of unit length",
    "source": "sha256 of the encoded {part}",
    "encoded_at": "when the vector was stored",
}
_OF_REVISIONS = {  # revisions create these objects, so no file in db/functions has a header for them
    "function shop.product_id": "Returns the key of a product, a hash of its SKU and its catalog.",
    "type shop.model_status": "building: vectors are filled; serving: searches use them; retired: tables are dropped.",
}
_HEADER = re.compile(r"(?:--[^\n]*\n)+")
_PUBLIC = re.compile(r"^create (?:or replace )?(function|view|type) (shop\.\w+)", re.MULTILINE)
_PRESENT = text(
    "select n.nspname, c.relname, coalesce(a.attname, ''), d.description from pg_class c "
    "join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('shop', 'shop_private') "
    "left join lateral (select attname, attnum from pg_attribute where attrelid = c.oid and attnum > 0 "
    "and not attisdropped union all select null, 0) a on true "
    "left join pg_description d on d.objoid = c.oid and d.classoid = 'pg_class'::regclass and d.objsubid = a.attnum "
    "where c.relkind = 'r'"
)

Name = tuple[str, str, str]  # schema, table and column; an empty column stands for the table itself


def header_comments(files: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a COMMENT ON for each public function, view and type in the files, and for each object in `_OF_REVISIONS`.
    The comment of an object in a file is the header of the file, without the dashes."""
    for _, content in files:
        if header := _HEADER.match(content):
            comment = "\n".join(line.removeprefix("--").removeprefix(" ") for line in header[0].splitlines())
            for kind, name in _PUBLIC.findall(content):
                yield _comment_on(f"{kind} {name}", comment)
    for name, comment in _OF_REVISIONS.items():
        yield _comment_on(name, comment)


def embedding_comments(model: str, part: str) -> Iterator[str]:
    """Yield a COMMENT ON for a new embedding table of a model, and for each of its columns."""
    for name, comment in _embedding(model, part):
        if part == "image" or name[2] != "position":
            yield _of_table(name, comment)


def table_comments(conn: Connection) -> Iterator[str]:
    """Yield a COMMENT ON for each table and column whose comment in the database differs from the wanted comment.

    An equal comment is not set again, because COMMENT ON would wait for a running vacuum of the table.
    """
    present: dict[Name, str | None] = {(row[0], row[1], row[2]): row[3] for row in conn.execute(_PRESENT)}
    models = conn.scalars(text("select name from shop.model where status <> 'retired'")).all()
    wanted = [
        *_of_metadata(),
        *(one for name in models for part in ("image", "title") for one in _embedding(name, part)),
    ]
    for name, comment in wanted:
        if name in present and present[name] != comment:
            yield _of_table(name, comment)


def wanted_table_comments() -> Iterator[str]:
    """Yield a COMMENT ON for each table and column of `db/tables/` that has a comment."""
    return (_of_table(name, comment) for name, comment in _of_metadata())


def _of_metadata() -> Iterator[tuple[Name, str]]:
    for table in metadata.tables.values():
        for column, comment in (("", table.comment), *((column.name, column.comment) for column in table.columns)):
            if comment:
                yield (table.schema or SHOP, table.name, column), comment


def _embedding(model: str, part: str) -> Iterator[tuple[Name, str]]:
    for column, comment in _EMBEDDING.items():
        yield (SHOP, f"{model}_{part}", column), comment.format(part=part)


def _of_table(name: Name, comment: str) -> str:
    kind = "column" if name[2] else "table"
    return _comment_on(f"{kind} {sql.Identifier(*filter(None, name)).as_string(None)}", comment)


def _comment_on(target: str, comment: str) -> str:
    return f"comment on {target} is {sql.Literal(comment).as_string(None)}"
