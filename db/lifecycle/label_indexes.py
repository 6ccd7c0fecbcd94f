"""Counts the values of a field that can be labels, and fills the tables of labelled vectors.

A label is a value of a field, such as the product type "bags". A model's labels are in `shop.label_index`. The tables
`<model>_image_label` and `<model>_title_label` have copies of the vectors of products with these labels, and a partial
HNSW index for each label. A search whose filter implies a label can read the index of this label instead of the index
of all vectors (docs/search.md). A copy costs disk, but a column of labels in the embedding tables would cost more:
with each new label, PostgreSQL would insert the row again into the index of all vectors.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, text

from db.errors import DatabaseError, SettingsError

COLUMNS = ("product_type", "brand", "catalog", "color", "size", "material")  # see label_values.sql
TOP = "top:product_type"  # the part of product_type before the first ">", in lower case
MOST = 200  # limit of the labels of a model, because the planner looks at every index of a table
MOST_LETTERS = 200  # limit of the characters of a value or a field; an index entry can have 2,704 bytes
LEAST_ROWS = 1_000  # with up to this many products, comparing all of them is as fast as scanning an index
FILL_PAGES = 64  # pages of vectors (512 kB) that one statement reads; changes of their products wait for the statement
RETRIES = 5
# SQLSTATEs: a vector was deleted while it was copied; a deadlock
TRANSIENT = ("23503", "40P01")

_ATTRIBUTE = re.compile(r"attributes\.((?:\\\.|[^.])+)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def field_sql(field: str) -> str:
    """Return the SQL that reads a field of p (shop.product) as jsonb. Raises SettingsError if the field cannot be a
    label."""
    if field in COLUMNS:
        return f"to_jsonb(p.{field})"
    if field == TOP:
        return "to_jsonb(nullif(lower(btrim(split_part(p.product_type, '>', 1))), ''))"
    attribute = _ATTRIBUTE.fullmatch(field)
    if attribute is None or len(field) > MOST_LETTERS or _CONTROL.search(field):
        raise SettingsError(
            f"{field!r} cannot be a label",
            hint=f"A label is one of {', '.join(COLUMNS)}, {TOP}, or attributes.<key> for an attribute.",
        )
    key = attribute[1].replace("\\.", ".").replace("'", "''").replace(":", "\\:")
    return f"(p.attributes -> '{key}')"


def values_of(conn: Connection, field: str, min_rows: int) -> list[Any]:
    """Return up to 2 * MOST texts, numbers and booleans that at least `min_rows` products have, the most frequent
    first.

    Raises SettingsError if the field cannot be a label, or if one of these values is too long for a label.
    """
    sql = field_sql(field)
    rows = conn.execute(
        text(
            f"select {sql} as value, count(*) from shop.product p "
            f"where jsonb_typeof({sql}) in ('string', 'number', 'boolean') "
            "group by 1 having count(*) >= :least order by 2 desc, 1 limit :most"
        ),
        {"least": min_rows, "most": 2 * MOST},
    )
    values = [row.value for row in rows]
    if long := [str(value) for value in values if len(str(value)) > MOST_LETTERS]:
        raise SettingsError(
            f"{len(long)} of the frequent values of {field} have more than {MOST_LETTERS} characters, "
            f"such as {long[0][:40]!r}...",
            hint=f"A label has at most {MOST_LETTERS} characters. Choose a field with shorter values, or a larger "
            "--min-rows that leaves these values out.",
        )
    return values


def room(conn: Connection, model: str) -> int:
    """Return how many labels a model may still get."""
    known = conn.scalar(
        text("select count(*) from shop.label_index l join shop.model m using (model_id) where m.name = :model"),
        {"model": model},
    )
    return MOST - int(known)


def labels_of(conn: Connection, model: str) -> dict[str, list[Any]]:
    """Return the values of each field for which a model has labels."""
    found: dict[str, list[Any]] = {}
    rows = conn.execute(
        text(
            "select l.field, l.value from shop.label_index l join shop.model m using (model_id) where m.name = :model "
            "order by l.label_id"
        ),
        {"model": model},
    )
    for field, value in rows:
        found.setdefault(field, []).append(value)
    return found


def is_in(values: Sequence[Any], value: Any) -> bool:
    """Return whether a value is among labels. In Python true equals 1, but they are two labels."""
    return any(one == value and isinstance(one, bool) == isinstance(value, bool) for one in values)


def least_rows(conn: Connection) -> int:
    """Return the largest number of matches that searches compare one by one (exact_limit), but at least LEAST_ROWS."""
    limit = conn.scalar(text("select (shop_private.search_settings()).exact_limit"))
    return max(LEAST_ROWS, int(limit or 0))


def fill(conn: Connection, table: str, on_progress: Callable[[str, str, float], None]) -> None:
    """Copy the vectors of the products with labels into a table of labelled vectors. `conn` is in autocommit mode.

    After an interruption, the next call reads all vectors again, but writes only the copies that are missing or old.
    """
    vectors = table.removesuffix("_label")
    model, part = vectors.rsplit("_", 1)
    _wait_for_writers(conn, vectors)
    pages = int(conn.scalar(text("select pg_relation_size(to_regclass(:name)) / 8192"), {"name": f'shop."{vectors}"'}))
    store = text(
        "select shop_private.label_fill(m.model_id, :part, :first, :pages) from shop.model m where m.name = :model"
    )
    for first in range(0, pages, FILL_PAGES):
        on_progress(table, "copying vectors", first / pages)
        for attempt in range(RETRIES):
            try:
                conn.execute(store, {"part": part, "model": model, "first": first, "pages": FILL_PAGES})
                break
            except DatabaseError as error:
                if error.sqlstate not in TRANSIENT or attempt == RETRIES - 1:
                    raise


def _wait_for_writers(conn: Connection, vectors: str) -> None:
    """Wait for the transactions that may not have seen the labels when they wrote. Later ones see the labels."""
    writing = (
        "from pg_locks where database = (select oid from pg_database where datname = current_database()) "
        "and relation in ('shop.product'::regclass, to_regclass(:name)) and mode = 'RowExclusiveLock'"
    )
    name = {"name": f'shop."{vectors}"'}
    writers = conn.scalars(text(f"select distinct virtualtransaction {writing}"), name).all()
    while conn.scalar(
        text(f"select exists (select {writing} and virtualtransaction = any(:writers))"), {**name, "writers": writers}
    ):
        time.sleep(0.1)
