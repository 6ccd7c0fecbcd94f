"""Lists the catalogs of a site, and deletes a catalog with all its rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

DEFAULT = "main"


@dataclass(frozen=True, slots=True)
class CatalogCounts:
    catalog: str
    language: str
    products: int
    images: int
    judgements: int
    events: int


_COUNTS = text(
    """
with product as (
    select p.catalog, count(*) as products, sum(i.images)::bigint as images
    from shop.product p
    left join (select f.product_id, count(*) as images from shop.product_image f group by f.product_id) i
        using (product_id)
    group by p.catalog
),
judgement as (select j.catalog, count(*) as judgements from shop.judgement j group by j.catalog),
event as (select e.catalog, count(*) as events from shop.event e group by e.catalog)
select catalog, coalesce(c.language, ''), coalesce(p.products, 0), coalesce(p.images, 0), coalesce(j.judgements, 0),
    coalesce(e.events, 0)
from shop.catalog c
full join product p using (catalog) full join judgement j using (catalog) full join event e using (catalog)
order by catalog
"""
)
_NAMES = text("select catalog from shop.catalog union select 'main' order by 1")
_EXISTS = text("select exists (select from shop.catalog where catalog = :catalog)")
_EXISTING = text("select catalog from shop.catalog where catalog = any(:names)")
_DEFAULT = text(
    "select c.catalog from shop.catalog c where cast(:among as text[]) is null or c.catalog = any(:among) "
    "order by not exists (select from shop.product p where p.catalog = c.catalog), c.catalog <> :main, c.catalog "
    "limit 1"
)
_ROOTS = text(
    "select distinct i.image_root_id from shop.product p join shop.product_image i using (product_id) "
    "where p.catalog = :catalog and i.image_root_id is not null"
)
_DELETE_PRODUCTS = text(
    "delete from shop.product p where p.product_id in "
    "(select q.product_id from shop.product q where q.catalog = :catalog limit :rows)"
)
_DELETE_OTHERS = tuple(
    text(
        f"delete from shop.{table} where {table}_id in "
        f"(select {table}_id from shop.{table} where catalog = :catalog limit :rows)"
    )
    for table in ("judgement", "event", "evaluation", "synonym", "rule")
)
_FORGET = text(
    "delete from shop.catalog c where c.catalog = :catalog "
    "and not exists (select from shop.product p where p.catalog = c.catalog)"
)
_DELETE_ROOTS = text(
    "delete from shop_private.image_root r where r.image_root_id = any(:roots) "
    "and not exists (select from shop.product_image i where i.image_root_id = r.image_root_id)"
)


def every_catalog(conn: Connection) -> list[CatalogCounts]:
    """Returns the counts of every catalog, in the order of the catalogs' names.

    A catalog without products is included if it has a row in `shop.catalog`, a judgement or an event.
    """
    return [CatalogCounts(*row) for row in conn.execute(_COUNTS)]


@dataclass(frozen=True, slots=True)
class CatalogOverview:
    """How far the serving model has encoded a catalog. The counts are those of shop.coverage."""

    catalog: str
    language: str
    products: int
    searchable: int
    waiting: int
    quarantined: int
    counts_are: str


_OVERVIEW = text(
    "select c.catalog, c.language, coalesce(v.products, 0), coalesce(v.searchable, 0), coalesce(v.waiting, 0), "
    "coalesce(v.quarantined, 0), coalesce(v.counts_are, 'exact') from (select catalog, language from shop.catalog "
    "union all select 'main', 'english' where not exists (select from shop.catalog where catalog = 'main')) c "
    "left join (select * from shop.coverage where status = 'serving') v using (catalog) order by c.catalog"
)
_KNOWN = text(
    "select exists (select from shop.catalog where catalog = :catalog) "
    "or exists (select from shop.product where catalog = :catalog)"
)


def overview(conn: Connection) -> list[CatalogOverview]:
    """Returns the catalogs in the order of their names. The catalog main is always included. `every_catalog` counts
    every row, and is slower."""
    return [CatalogOverview(*row) for row in conn.execute(_OVERVIEW)]


def names(conn: Connection) -> list[str]:
    """Returns the names of the catalogs in alphabetical order. The name main is always included."""
    return list(conn.scalars(_NAMES))


def is_known(conn: Connection, catalog: str) -> bool:
    """Returns whether the catalog exists or has products. The catalog main always exists."""
    return catalog == DEFAULT or bool(conn.execute(_KNOWN, {"catalog": catalog}).scalar_one())


def exists(conn: Connection, catalog: str) -> bool:
    """Returns whether the catalog has been created. The catalog main always exists."""
    return catalog == DEFAULT or conn.execute(_EXISTS, {"catalog": catalog}).scalar_one()


def existing(conn: Connection, names: Collection[str]) -> set[str]:
    """Returns those of the names whose catalogs exist. The catalog main always exists."""
    return {name for name in names if name == DEFAULT} | set(conn.scalars(_EXISTING, {"names": list(names)}))


def default_catalog(conn: Connection, among: Sequence[str] | None = None) -> str | None:
    """Returns the catalog for searches that name no catalog, on the search page or the command line.

    Catalogs with products are preferred. Among them, the function returns main, or else the first catalog by name. If
    no catalog has products, it chooses in the same way among all catalogs. So if only one catalog has products, it is
    the one that searches use, whatever its name is. With `among`, only the catalogs in `among` are considered. Returns
    None if no catalog remains.
    """
    found: str | None = conn.scalar(_DEFAULT, {"main": DEFAULT, "among": None if among is None else list(among)})
    return found


def image_roots(conn: Connection, catalog: str) -> list[int]:
    """Returns the ids of the rows of `shop_private.image_root` that images of the catalog's products use."""
    return list(conn.scalars(_ROOTS, {"catalog": catalog}))


def delete_products(conn: Connection, catalog: str, rows: int) -> int:
    """Delete up to `rows` products of the catalog, with their images, vectors and work items.

    Returns the number of deleted products.
    """
    return conn.execute(_DELETE_PRODUCTS, {"catalog": catalog, "rows": rows}).rowcount


def delete_others(conn: Connection, catalog: str, rows: int | None) -> int:
    """Delete the catalog's judgements, events, evaluations, synonyms and rules: up to `rows` rows of each table.

    None deletes all rows. Returns the number of deleted rows.
    """
    return sum(conn.execute(statement, {"catalog": catalog, "rows": rows}).rowcount for statement in _DELETE_OTHERS)


def forget(conn: Connection, catalog: str, roots: list[int]) -> None:
    """Delete the rows that `delete_others` deletes, the catalog's row in `shop.catalog`, and the catalog's watches.

    The row and the watches stay if a load has added products to the catalog in the meantime. Also deletes those rows
    of `shop_private.image_root` in `roots` that no image uses. No folder on disk is deleted.
    """
    delete_others(conn, catalog, None)
    conn.execute(_FORGET, {"catalog": catalog})
    if roots:
        conn.execute(_DELETE_ROOTS, {"roots": roots})
