"""The catalog: products in, by the one upsert.

with conn.begin():
    with staging(conn) as stage:
        for product in products: stage(product)
    counts = upsert(conn, catalog="main", image_root=folder)
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, text

from db.engine import translated

COLUMNS = (
    "sku", "title", "description", "brand", "product_type", "price", "currency", "availability", "gtin", "mpn",
    "item_group_id", "link", "image_link", "color", "size", "material", "condition",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: a path below the catalog's image root, or an http(s), s3 or gs address."""

    uri: str
    phash: str | None = None  # 64 binary digits, if the feed brings one


@dataclass(frozen=True, slots=True)
class Product:
    """One valid catalog row, in the vocabulary of product feeds. `images` are in order; the first one is shown."""

    sku: str
    title: str
    description: str | None = None
    brand: str | None = None
    product_type: str | None = None
    price: Decimal | None = None
    currency: str | None = None
    availability: str | None = None
    gtin: str | None = None
    mpn: str | None = None
    item_group_id: str | None = None
    link: str | None = None
    image_link: str | None = None
    color: str | None = None
    size: str | None = None
    material: str | None = None
    condition: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    images: tuple[Image, ...] = ()


@dataclass(frozen=True)
class UpsertCounts:
    inserted: int
    updated: int
    unchanged: int
    pictures: int  # pictures added, replaced or removed


_STAGING_TABLE = """
create temporary table staged_product (
    sku text primary key, title text not null, description text, brand text, product_type text, price numeric(12,2),
    currency text, availability text, gtin text, mpn text, item_group_id text, link text, image_link text, color text,
    size text, material text, condition text, attributes jsonb not null, image_uris text[] not null,
    image_phashes text[] not null
) on commit drop"""

_COPY = f"copy pg_temp.staged_product ({', '.join(COLUMNS)}, attributes, image_uris, image_phashes) from stdin"


@contextmanager
def staging(conn: Connection) -> Iterator[Callable[[Product], None]]:
    """Stage products on this transaction's own connection; each SKU once. Call the yielded function for each."""
    conn.execute(text(_STAGING_TABLE))
    raw = conn.connection.driver_connection
    assert raw is not None
    try:
        with raw.cursor() as cursor, cursor.copy(_COPY) as copy:

            def stage(product: Product) -> None:
                copy.write_row(
                    [getattr(product, column) for column in COLUMNS]
                    + [
                        Jsonb(dict(product.attributes)),
                        [image.uri for image in product.images],
                        [image.phash for image in product.images],
                    ]
                )

            yield stage
    except psycopg.Error as error:  # COPY goes past SQLAlchemy and its translation
        raise translated(error) from error


def upsert(conn: Connection, *, catalog: str = "main", image_root: Path | None = None) -> UpsertCounts:
    """Make the catalog's products equal to the staged ones. `image_root` is the folder their relative paths start at.

    Products that were not staged are left alone, and so is whatever is equal already.
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
