"""shop.browse with group_by lists each group of variants once, with the number of its products that pass the filter."""

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from db.catalog.product import Product
from db.errors import StatementRefused
from db.roles import Role
from db.search import ranking
from db.search.ranking import SearchParams
from db.search.rows import BrowseItem
from tests.support.databases import Databases

if TYPE_CHECKING:
    from tests.support.shop import Shop

GROUP = "item_group_id"
SORTS = [None, "price", "price desc", "effective_price", "effective_price desc"]


def make(n: int, chance: random.Random) -> Product:
    price = chance.choice([None, Decimal(chance.randrange(1, 6)), Decimal(chance.randrange(5, 40))])
    sale = price - 1 if price and price > 2 and n % 3 == 0 else None
    group = f"g{chance.randrange(8)}" if n % 4 else None
    return Product(
        f"p{n}", f"thing {n}", color=("red", "blue")[n % 2], price=price, currency="EUR" if price else None,
        sale_price=sale, item_group_id=group,
    )  # fmt: skip


@pytest.fixture
def grouped(shop: "Shop") -> dict[str, Product]:
    """Loads 60 products, of which 45 belong to 8 groups, and returns them by SKU. Another catalog has one product."""
    chance = random.Random(7)
    products = [make(n, chance) for n in range(60)]
    shop.load(*products)
    shop.load(Product("elsewhere", "thing", item_group_id="g1"), into="other")
    return {one.sku: one for one in products}


def pages(conn: Any, sort: str | None, filter_: Any, k: int, group_by: str | None) -> list[BrowseItem]:
    written = json.dumps(filter_) if filter_ else None
    seen: list[BrowseItem] = []
    after = None
    while page := ranking.browse(conn, SearchParams(filter=written, k=k, after=after, group_by=group_by), sort):
        seen += page
        after = page[-1].cursor
    return seen


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("filter_", [None, {"color": ["red"]}, {"effective_price": {"gte": 4, "lte": 30}}])
def test_pages_list_the_first_product_of_each_group_with_true_figures(
    shop: "Shop", grouped: dict[str, Product], sort: str | None, filter_: Any
) -> None:
    conn = shop.connect(Role.ANALYST)
    members: dict[str, list[BrowseItem]] = defaultdict(list)
    for row in pages(conn, sort, filter_, 60, None):
        members[grouped[row.sku].item_group_id or row.sku].append(row)
    for k in (5, 60):
        listed = pages(conn, sort, filter_, k, GROUP)
        assert [row.sku for row in listed] == [rows[0].sku for rows in members.values()]
        for row, rows in zip(listed, members.values(), strict=True):
            prices = [one.effective_price for one in rows if one.effective_price is not None]
            if row.currency is not None:
                assert (row.group_low, row.group_high) == (min(prices), max(prices))
            assert (row.group_value, row.group_products) == (grouped[row.sku].item_group_id, len(rows))


def test_the_columns_of_the_group_are_empty_without_group_by(shop: "Shop", grouped: dict[str, Product]) -> None:
    for sort in (None, "effective_price", "title"):
        [first, *_] = pages(shop.connect(Role.ANALYST), sort, None, 60, None)
        assert (first.group_value, first.group_products, first.group_low, first.group_high) == (None,) * 4


@pytest.mark.parametrize(
    ("group_by", "sort", "message"),
    [
        ("brand", None, 'a list has no group_by => "brand"'),
        (GROUP, "title", 'a list has no group_by => "item_group_id" with sort => "title"'),
    ],
)
def test_group_by_with_another_field_or_with_a_sort_by_title_is_refused(
    shop: "Shop", group_by: str, sort: str | None, message: str
) -> None:
    with pytest.raises(StatementRefused, match=message):
        ranking.browse(shop.connect(Role.ANALYST), SearchParams(group_by=group_by), sort)


@pytest.mark.parametrize("sort", SORTS)
def test_products_of_another_catalog_are_no_variants_however_many_there_are(shop: "Shop", sort: str | None) -> None:
    shop.load(Product("first", "thing"), into="other")
    shop.run(  # more products than group_most_read, inserted before those of the catalog main
        "insert into shop.product (product_id, sku, catalog, title, item_group_id, price, currency) "
        "select shop.product_id('o' || n, 'other'), 'o' || n, 'other', 'thing', 'g', 7, 'USD' "
        "from generate_series(1, 5200) n"
    )
    shop.load(*(Product(f"p{n}", "thing", item_group_id="g", price=Decimal(n), currency="EUR") for n in (1, 2, 3)))
    [row] = pages(shop.connect(Role.ANALYST), sort, None, 10, GROUP)
    assert (row.group_products, row.group_low, row.group_high) == (3, 1, 3)


@pytest.mark.parametrize("sort", SORTS)
def test_all_pages_together_list_the_first_product_of_every_group(
    session: psycopg.Connection[Any], sort: str | None
) -> None:
    """Without a sort, the last 1,000 products and some before them belong to groups that are listed already."""
    field = "null" if sort is None else f"'{sort}'"
    direction = "desc" if sort and sort.endswith("desc") else "asc"
    key = "price" if sort else "null::numeric"
    heads = session.execute(
        f"select array_agg(sku order by key {direction}, product_id {direction}) from ("
        f"select distinct on (item_group_id) sku, product_id, {key} as key from shop.product "
        f"order by item_group_id, key {direction}, product_id {direction}) h"
    ).fetchone()
    assert heads is not None
    listed: list[str] = []
    after = None
    while True:
        page = session.execute(
            f"select sku, cursor from shop.browse(k => 1000, sort => {field}, group_by => 'item_group_id', "
            "after_cursor => %s)",
            [after],
        ).fetchall()
        listed += [sku for sku, _ in page]
        if len(page) < 1000:
            break
        after = page[-1][1]
    assert listed == heads[0]


@pytest.fixture(scope="module")
def session(databases: Databases, template: str) -> Iterator[psycopg.Connection[Any]]:
    """Yields a session in a database of 20,000 products in groups of 5."""
    database = databases.copy(template)
    with psycopg.connect(databases.admin_url(str(database.write.database)), autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute(
            "insert into shop.product (product_id, sku, title, price, item_group_id) "
            "select shop.product_id('sku ' || n), 'sku ' || n, 'title', n % 977, 'group ' || n / 5 "
            "from generate_series(0, 19999) n"
        )
        conn.execute("insert into shop.catalog (catalog) values ('main')")
        conn.execute("vacuum analyze shop.product")
        yield conn


@pytest.mark.parametrize("sort", SORTS)
def test_a_page_of_groups_reads_less_than_a_tenth_of_the_products(
    session: psycopg.Connection[Any], sort: str | None
) -> None:
    field = "null" if sort is None else f"'{sort}'"
    with session.transaction():
        session.execute("set local track_functions = 'none'")
        before = fetched(session)
        rows = session.execute(
            f"select * from shop.browse(k => 24, sort => {field}, group_by => 'item_group_id')"
        ).fetchall()
        read = fetched(session) - before
    assert len(rows) == 24
    assert read < 2_000, read  # of the 20,000 products in the list


def fetched(session: psycopg.Connection[Any]) -> int:
    """Returns how many rows of shop.product this transaction has read by scans and by indexes."""
    row = session.execute(
        "select pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid) "
        "from pg_class where oid = 'shop.product'::regclass"
    ).fetchone()
    assert row is not None
    return int(row[0])
