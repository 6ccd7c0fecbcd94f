"""Writes products through shop.upsert_staged, deletes products and reads products. A load writes products like this:

with conn.begin():
    with staging(conn) as stage:
        for product in products: stage(product)
    counts = upsert(conn, catalog="main", image_root=folder)
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import psycopg
from sqlalchemy import Connection, text

from db.catalog.bisection import write_each
from db.catalog.product import COLUMNS, Product
from db.driver_errors import translated
from db.errors import StatementRefused

PutStatus = Literal["inserted", "updated", "unchanged"]


@dataclass(frozen=True)
class UpsertCounts:
    inserted: int
    updated: int
    unchanged: int  # also counts products of which only the images changed
    images: int  # images that were added, replaced or removed


_STAGING_TABLE = """
create temporary table staged_product (
    sku text primary key, title text not null, description text, brand text, product_type text, price numeric(12,2),
    currency text, availability text, gtin text, mpn text, item_group_id text, link text, image_link text, color text,
    size text, material text, condition text, sale_price numeric(12,2), sale_starts_at timestamptz,
    sale_ends_at timestamptz, compare_at_price numeric(12,2), quantity integer, rating numeric(3,2),
    review_count integer, published_at timestamptz, attributes jsonb not null, image_uris text[] not null,
    image_phashes text[] not null, image_versions text[] not null, keeps_roots boolean not null default {keeps_roots}
) on commit drop"""

_STAGED = f"{', '.join(COLUMNS)}, attributes, image_uris, image_phashes, image_versions"
_COPY = f"copy pg_temp.staged_product ({_STAGED}) from stdin"


@contextmanager
def staging(conn: Connection, *, keeps_roots: bool = False) -> Iterator[Callable[[Product], None]]:
    """Yield a function that stages one product for `upsert` in the same transaction. Stage each SKU only once. With
    `keeps_roots`, a stored image path of the product keeps its folder if the file is not in the new image root."""
    conn.execute(text(_STAGING_TABLE.format(keeps_roots=keeps_roots)))
    raw = conn.connection.driver_connection
    assert raw is not None
    try:
        with raw.cursor() as cursor, cursor.copy(_COPY) as copy:

            def stage(product: Product) -> None:
                # Attributes and images are sent as text. Otherwise psycopg would inspect each list and mapping to find
                # its type, and the inspection takes longer than sending all columns.
                attributes = json.dumps(dict(product.attributes))
                uris = _array([image.uri for image in product.images])
                phashes = _array([image.phash for image in product.images])
                versions = _array([image.file_version for image in product.images])
                copy.write_row((*_columns(product), attributes, uris, phashes, versions))

            yield stage
    except psycopg.Error as error:  # COPY bypasses SQLAlchemy, where db/engine.py would translate the error
        raise translated(error) from error


_columns = attrgetter(*COLUMNS)


def _array(texts: Sequence[str | None]) -> str:
    """Format texts as a PostgreSQL array."""
    if not any(texts):  # the usual case for hashes of images and for versions of files
        return "{" + ",".join(["NULL" if text is None else '""' for text in texts]) + "}"
    return "{" + ",".join(["NULL" if text is None else _quoted(text) for text in texts]) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'


def upsert(conn: Connection, *, catalog: str = "main", image_root: Path | None = None) -> UpsertCounts:
    """Insert or update the staged products. Relative image paths start at the folder `image_root`, except those that
    keep their folder (see upsert_staged_images.sql).

    A product that is not staged, or that already equals its staged row, is not written.
    """
    root_id = None
    if image_root is not None:
        root_id = conn.scalar(text("select shop_private.image_root_id(:folder)"), {"folder": str(image_root)})
    row = conn.execute(
        text("select * from shop.upsert_staged(catalog => :catalog, image_root_id => cast(:root as smallint))"),
        {"catalog": catalog, "root": root_id},
    ).one()
    conn.execute(text("drop table pg_temp.staged_product"))
    return UpsertCounts(*row)


def put(
    conn: Connection, products: Sequence[Product], *, catalog: str = "main", image_root: Path | None = None
) -> list[PutStatus | StatementRefused]:
    """Insert or replace a few products inside the caller's transaction. Pass each SKU only once.

    Returns a status for each product, or the error with which the database refused the product.
    """

    def write(part: Sequence[Product]) -> list[PutStatus]:
        skus = [product.sku for product in part]
        with conn.begin_nested():
            before = _state(conn, skus, catalog)
            conn.execute(text(_STAGING_TABLE.format(keeps_roots=False)))
            conn.execute(_STAGE, [_staged(product) for product in part])
            upsert(conn, catalog=catalog, image_root=image_root)
            after = _state(conn, skus, catalog)
        return [
            "inserted" if sku not in before else "unchanged" if before[sku] == after[sku] else "updated" for sku in skus
        ]

    outcomes: dict[str, PutStatus | StatementRefused] = {}
    if products:
        # The products are written in the order of product_id. Otherwise two writers could deadlock, because the
        # locks of one part are still held while the next part is written.
        for part, result in write_each(write, sorted(products, key=lambda each: _product_id(each.sku, catalog))):
            of_each = [result] if isinstance(result, StatementRefused) else result
            outcomes.update(zip((product.sku for product in part), of_each, strict=True))
    return [outcomes[product.sku] for product in products]


def _product_id(sku: str, catalog: str) -> bytes:
    """Computes the same key as shop.product_id."""
    return hashlib.sha256(f"{catalog}\x1f{sku}".encode(errors="surrogatepass")).digest()[:16]


# `put` stages with INSERT instead of COPY, because the web service's driver connections are asynchronous.
_STAGE = text(
    f"insert into pg_temp.staged_product ({_STAGED}) values "
    f"({', '.join(f':{column}' for column in COLUMNS)}, cast(:attributes as jsonb), cast(:uris as text[]), "
    "cast(:phashes as text[]), cast(:versions as text[]))"
)
_STATE = text(
    "select p.sku, p.updated_at, (select array_agg(array[i.uri, i.file_version] order by i.position) "
    "from shop.product_image i where i.product_id = p.product_id) from shop.product p "
    "where p.product_id in (select shop.product_id(s, :catalog) from unnest(cast(:skus as text[])) s)"
)


def _staged(product: Product) -> dict[str, Any]:
    return {
        **{column: getattr(product, column) for column in COLUMNS},
        "attributes": json.dumps(dict(product.attributes)),
        "uris": [image.uri for image in product.images],
        "phashes": [image.phash for image in product.images],
        "versions": [image.file_version for image in product.images],
    }


def _state(conn: Connection, skus: Sequence[str], catalog: str) -> dict[str, tuple[Any, Any]]:
    rows = conn.execute(_STATE, {"skus": list(skus), "catalog": catalog})
    return {sku: (updated_at, uris) for sku, updated_at, uris in rows}


def lock(conn: Connection, skus: Sequence[str], catalog: str = "main") -> None:
    """Lock products, so that no other session changes their rows until the transaction ends."""
    statement = text(
        "select from shop.product where product_id in (select shop.product_id(s, :catalog) "
        "from unnest(cast(:skus as text[])) s) order by product_id for no key update"
    )
    conn.execute(statement, {"skus": list(skus), "catalog": catalog})


def image_paths(conn: Connection, skus: Sequence[str], catalog: str = "main") -> dict[str, set[str]]:
    """Return the image paths that the products have in the database. A product without an image path is absent."""
    statement = text(
        "select p.sku, array_agg(i.uri) from shop.product p join shop.product_image i using (product_id) "
        "where i.image_root_id is not null and p.product_id in "
        "(select shop.product_id(s, :catalog) from unnest(cast(:skus as text[])) s) group by p.sku"
    )
    return {sku: set(uris) for sku, uris in conn.execute(statement, {"skus": list(skus), "catalog": catalog})}


def delete(conn: Connection, sku: str, catalog: str = "main") -> bool:
    """Delete a product. Returns False when there is no such product."""
    statement = text("delete from shop.product where product_id = shop.product_id(:sku, :catalog)")
    return conn.execute(statement, {"sku": sku, "catalog": catalog}).rowcount == 1


# Locks the rows in the order of product_id, as `put` does.
def delete_list(conn: Connection, skus: Sequence[str], catalog: str = "main") -> set[str]:
    """Delete products. Returns the SKUs of the deleted products."""
    statement = text(
        "with found as (select product_id from shop.product where product_id in "
        "(select shop.product_id(s, :catalog) from unnest(cast(:skus as text[])) s) order by product_id for update) "
        "delete from shop.product where product_id in (select product_id from found) returning sku"
    )
    return set(conn.scalars(statement, {"skus": list(skus), "catalog": catalog}))


def delete_filtered(
    conn: Connection, filter_: str, catalog: str, rows: int, *, every: bool = False
) -> tuple[int, bool]:
    """Delete up to `rows` products that pass a filter, which is JSON. Returns their number, and whether more pass.

    Raises StatementRefused for an invalid filter and, unless `every` is set, for a filter that every product of the
    catalog passes.
    """
    statement = text(
        "select deleted, more from shop_private.delete_filtered(:catalog, cast(:filter as jsonb), :rows, :every)"
    )
    row = conn.execute(statement, {"catalog": catalog, "filter": filter_, "rows": rows, "every": every}).one()
    return row.deleted, row.more


def read_product(conn: Connection, sku: str, catalog: str = "main") -> dict[str, Any] | None:
    """Return a product's columns, its prices at this moment and its `images`, or None if there is no such product.

    The images are in the order of their positions. Each image is (position, uri, hash of the image's content).
    """
    statement = text(
        f"select p.product_id, p.catalog, {', '.join(f'p.{column}' for column in COLUMNS)}, e.effective_price, "
        "case when e.effective_price < e.before then e.before end as price_before, p.attributes, p.created_at, "
        "p.updated_at, coalesce((select json_agg(json_build_array(i.position, i.uri, "
        "shop_private.image_hash(i.sha256, i.file_version)) order by i.position) from shop.product_image i "
        "where i.product_id = p.product_id), '[]') as images "
        "from shop.product p cross join lateral (select greatest(p.price, p.compare_at_price) as before, "
        "shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at) as effective_price) e "
        "where p.product_id = shop.product_id(:sku, :catalog)"
    )
    row = conn.execute(statement, {"sku": sku, "catalog": catalog}).mappings().one_or_none()
    return None if row is None else dict(row)


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file, and the product that it shows."""

    folder: str
    path: str  # below the folder
    catalog: str
    sku: str


def image_file(conn: Connection, product_id: UUID, position: int) -> ImageFile | None:
    """Return an image file, or None if there is no such image, or if the image has an address instead of a file."""
    statement = text(
        "select shop_private.image_folder(i.image_root_id), i.uri, p.catalog, p.sku from shop.product_image i "
        "join shop.product p using (product_id) "
        "where i.product_id = :product and i.position = :position and i.image_root_id is not null"
    )
    row = conn.execute(statement, {"product": product_id, "position": position}).one_or_none()
    return None if row is None else ImageFile(*row)
