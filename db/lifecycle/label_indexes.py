"""Counts the values of a field that can be labels, and fills the tables of labelled vectors.

A label is a value of a field, such as the product type "bags". A model's labels are in `shop.label_index`, and
`<model>_image_label` and `<model>_title_label` have a copy of the vectors of their products, with a partial HNSW index
for each label. A search whose filter implies a label reads this index alone (docs/search.md). A copy costs disk, but
a column in the embedding tables would cost more: PostgreSQL would insert each row again into the whole index.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from db.errors import DatabaseError, SettingsError

COLUMNS = ("product_type", "brand", "catalog")  # see label_values.sql
MOST = 200  # labels of a field; the planner looks at every index of a table
LEAST_ROWS = 1_000  # up to this many products, comparing all is as fast as an index
FILL_PAGES = 2_048  # pages of vectors that one statement reads: 16 MB
RETRIES = 5
FOREIGN_KEY = "23503"  # SQLSTATE: a vector was deleted while it was copied

_ATTRIBUTE = re.compile(r"attributes\.((?:\\\.|[^.])+)")


@dataclass(frozen=True, slots=True)
class LabelValue:
    value: Any  # a text, number or boolean
    products: int


def field_sql(field: str) -> str:
    """Return the SQL that reads a field of p (shop.product) as jsonb. Raises SettingsError for another field."""
    if field in COLUMNS:
        return f"to_jsonb(p.{field})"
    attribute = _ATTRIBUTE.fullmatch(field)
    if attribute is None:
        raise SettingsError(
            f"{field!r} cannot be a label",
            hint=f"A label is one of {', '.join(COLUMNS)}, or attributes.<key> for an attribute.",
        )
    key = attribute[1].replace("\\.", ".").replace("'", "''").replace(":", "\\:")
    return f"(p.attributes -> '{key}')"


def values_of(conn: Connection, field: str, min_rows: int) -> list[LabelValue]:
    """Return the values that at least `min_rows` products have, the most frequent first, and at most MOST values."""
    sql = field_sql(field)
    rows = conn.execute(
        text(
            f"select {sql}, count(*) from shop.product p where jsonb_typeof({sql}) in ('string', 'number', 'boolean') "
            "group by 1 having count(*) >= :least order by 2 desc, 1 limit :most"
        ),
        {"least": min_rows, "most": MOST},
    )
    return [LabelValue(*row) for row in rows]


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


def least_rows(conn: Connection) -> int:
    """Return the number of matches up to which searches compare all, as the newest calibration says."""
    limit = conn.scalar(text("select (shop_private.search_settings()).exact_limit"))
    return max(LEAST_ROWS, int(limit or 0))


def fill(conn: Connection, table: str, on_progress: Callable[[str, str, float], None]) -> None:
    """Copy the vectors that products with labels have to a table of labelled vectors. `conn` is in autocommit.

    An interrupted copy starts again and finds most vectors copied.
    """
    vectors = table.removesuffix("_label")
    model, part = vectors.rsplit("_", 1)
    _wait_for_writers(conn, vectors)
    pages = int(conn.scalar(text("select pg_relation_size(to_regclass(:name)) / 8192"), {"name": f'shop."{vectors}"'}))
    store = text(
        "select shop_private.label_store(m.model_id, :part, array(select distinct v.product_id "
        f'from shop."{vectors}" v where v.ctid >= cast(:first as tid) and v.ctid < cast(:last as tid))) '
        "from shop.model m where m.name = :model"
    )
    for page in range(0, pages, FILL_PAGES):
        on_progress(table, "copying vectors", page / pages)
        parameters = {"part": part, "model": model, "first": f"({page},0)", "last": f"({page + FILL_PAGES},0)"}
        for attempt in range(RETRIES):
            try:
                conn.execute(store, parameters)
                break
            except DatabaseError as error:
                if error.sqlstate != FOREIGN_KEY or attempt == RETRIES - 1:
                    raise


def _wait_for_writers(conn: Connection, vectors: str) -> None:
    """Wait for the transactions that may not have seen the labels when they wrote. Later ones store the labels."""
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
