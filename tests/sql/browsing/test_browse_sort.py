"""shop.browse lists products in the order of `sort`, and all pages together list every product once. Pages in the order
of a price read few entries of the price indexes. Prices of several currencies are not compared."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from db.errors import StatementRefused
from db.roles import Role
from db.search import ranking
from db.search.ranking import SearchParams
from db.search.rows import BrowseItem
from tests.support.databases import ROLES, Databases
from tests.support.filtering import Session

if TYPE_CHECKING:
    from tests.support.shop import Shop

SORTS = ("price", "price desc", "effective_price", "effective_price desc")
FEW_PRICES = st.sampled_from([None, "0", "1", "2.50", "3", "10", "9999999999.99"])
DAYS = st.sampled_from([None, "-1 day", "1 day", "-infinity", "infinity"])
FILTERS: list[Any] = [
    None,
    {"color": "100% red"},
    {"effective_price": {"gte": 1, "lt": 10}},
    {"effective_price": {"ne": 3}},
    {"effective_price": [1, None]},
    {"effective_price": None},
    {"effective_price": {"exists": True}, "price": {"gt": 1}},
    {"price": {"lte": 3}, "color": "100% red"},
    {"or": [{"effective_price": 1}, {"sale_price": {"gt": 2}}]},
]
PRODUCTS = st.lists(
    st.tuples(FEW_PRICES, FEW_PRICES, DAYS, DAYS, st.sampled_from(["100% red", "blue"]), st.sampled_from("ab")),
    max_size=30,
)
INSERT = text(
    "insert into shop.product "
    "(product_id, sku, title, price, sale_price, sale_starts_at, sale_ends_at, color, catalog) "
    "values (shop.product_id(:sku, :catalog), :sku, 'x', cast(:price as numeric), cast(:sale as numeric), "
    "case when :starts like '%infinity' then cast(:starts as timestamptz) else now() + cast(:starts as interval) end, "
    "case when :ends like '%infinity' then cast(:ends as timestamptz) else now() + cast(:ends as interval) end, "
    ":color, :catalog)"
)


def pages(conn: Connection, k: int, sort: str | None, **arguments: Any) -> Iterator[list[BrowseItem]]:
    after = None
    while page := ranking.browse(conn, SearchParams(k=k, after=after, **arguments), sort):
        yield page
        after = page[-1].cursor


@given(PRODUCTS, st.sampled_from(SORTS), st.sampled_from(FILTERS), st.integers(1, 7))
@settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_all_pages_together_have_the_order_of_a_plain_order_by(
    shop: "Shop", products: list[tuple[Any, ...]], sort: str, filter_: Any, k: int
) -> None:
    with shop.database.connect(None) as conn:
        for n, (price, sale, starts, ends, color, catalog) in enumerate(products):
            given = {"price": price, "sale": sale, "starts": starts, "ends": ends, "color": color, "catalog": catalog}
            conn.execute(INSERT, {"sku": f"p{n}", **given})
        conn.execute(text("insert into shop.catalog (catalog) values ('a'), ('b') on conflict do nothing"))
        written = None if filter_ is None else json.dumps(filter_)
        condition = conn.scalar(text("select shop.filter_sql(cast(:filter as jsonb))"), {"filter": written}) or "true"
        field, _, direction = sort.partition(" ")
        key = {
            "price": "p.price",
            "effective_price": "shop.effective_price(price, sale_price, sale_starts_at, sale_ends_at)",
        }
        expected = conn.exec_driver_sql(
            f"select sku from shop.product p where catalog = 'a' and ({condition.replace('%', '%%')}) "
            f"order by {key[field]} {direction} nulls last, product_id {direction}"
        )
        listed = list(pages(conn, k, sort, filter=written, catalog="a"))
        assert [item.sku for page in listed for item in page] == list(expected.scalars())
        assert all(len(page) == k for page in listed[:-1])
        conn.rollback()


def test_each_row_has_the_effective_price_at_the_time_of_the_statement(shop: "Shop") -> None:
    shop.add("a", "b")
    shop.run("update shop.product set price = 9, sale_price = 5 where sku = 'a'")
    shop.run("update shop.product set price = 9, sale_price = 5, sale_ends_at = '2000-01-01' where sku = 'b'")
    rows = ranking.browse(shop.connect(Role.ANALYST), SearchParams(), "effective_price")
    assert [(row.sku, row.price, row.effective_price) for row in rows] == [("a", 9, 5), ("b", 9, 9)]


def test_the_cursor_of_a_row_is_its_product_id_without_a_sort(shop: "Shop") -> None:
    shop.add(*(f"p{n}" for n in range(9)))
    conn = shop.connect(Role.ANALYST)
    by_id = shop.run("select sku from shop.product order by product_id")
    assert [item.sku for page in pages(conn, 4, None) for item in page] == [row.sku for row in by_id]
    [first, *_] = ranking.browse(conn, SearchParams(k=1))
    assert first.cursor == str(first.product_id)
    rows = shop.run("select sku from shop.browse(after => :after)", after=first.product_id)
    assert [row.sku for row in rows] == [row.sku for row in by_id[1:]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("sort => 'prise'", 'sort has no field "prise"; did you mean "price"'),
        ("sort => ''", "sort cannot be read at ''"),
        ("sort => 'title', after_cursor => 'title|a|{id}'", "not a cursor of this order"),
        ("sort => 'title', after_cursor => 'sort-b78a3223.1.{id}.0123456'", "not a cursor of this order"),
        ("sort => 'title desc', after_cursor => 'sort-b78a3223.1.{id}.01234567'", "not a cursor of this order"),
        ("sort => 'title', after => '{id}'", "after is only for a list without sort"),
        ("sort => 'price', after_cursor => 'garbage'", "not a cursor of this order"),
        ("sort => 'price', after_cursor => 'price desc|1.00|{id}'", "not a cursor of this order"),
        ("sort => 'price', after_cursor => '{id}'", "not a cursor of this order"),
        ("sort => 'price', after_cursor => 'price|1.00 or true|{id}'", "not a cursor of this order"),
        ("after_cursor => 'price|1.00|{id}'", "not a cursor of this order"),
        ("sort => 'price', after => '{id}'", "after is only for a list without sort"),
        ("after => '{id}', after_cursor => '{id}'", "after is only for a list without sort"),
    ],
)
def test_an_invalid_sort_or_a_cursor_of_another_sort_is_refused(shop: "Shop", arguments: str, message: str) -> None:
    with pytest.raises(StatementRefused, match=message) as refused:
        shop.run(f"select * from shop.browse({arguments.format(id='1' * 8 + '-1111' * 3 + '-' + '1' * 12)})")
    assert refused.value.sqlstate == "22023"


# The next two tests check query plans.


@pytest.fixture(scope="module")
def session(databases: Databases, template: str) -> Iterator[Session]:
    """Yields a session in a database of 20,000 products. 10,000 products have the same price, and 1,000 products have
    no price. 2,000 products have a sale price; the sale of 1,000 of these products is over."""
    database = databases.copy(template)
    with psycopg.connect(databases.admin_url(str(database.write.database)), autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute(
            "insert into shop.product (product_id, sku, title, color, price, sale_price, sale_ends_at) "
            "select shop.product_id('sku ' || n), 'sku ' || n, 'title', 'color ' || n % 4, "
            "case when n % 20 = 1 then null when n % 2 = 0 then 50 else n end, "
            "case when n % 10 = 3 then n / 2 end, case when n % 20 = 3 then '2000-01-01'::timestamptz end "
            "from generate_series(1, 20000) n"
        )
        conn.execute("insert into shop.catalog (catalog) values ('main')")
        conn.execute("vacuum analyze shop.product")
        conn.execute(f"set role {ROLES.analyst}")
        conn.execute("set max_parallel_workers_per_gather = 0")  # as shop.browse sets it
        yield conn


def scans(session: Session, statement: str) -> tuple[dict[str, int], str]:
    """Returns how many rows the statement reads from each index or table, and the plan of the statement as text."""
    row = session.execute(f"explain (analyze, format json) {statement}").fetchone()  # type: ignore[arg-type]
    assert row is not None
    read: dict[str, int] = {}

    def walk(node: dict[str, Any]) -> None:
        name = node.get("Index Name") or node.get("Relation Name")
        if name:
            removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            read[name] = read.get(name, 0) + int((node["Actual Rows"] + removed) * node["Actual Loops"])
        for child in node.get("Plans", ()):
            walk(child)

    walk(row[0][0]["Plan"])
    return read, str(row[0])


BY_PRICE, BY_SALE_PRICE = "product_price_idx", "product_sale_price_idx"


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize(
    "after", ["null", "'{sort}|200.00|{id}'", "'{sort}||{id}'"], ids=["first page", "later page", "without price"]
)
@pytest.mark.parametrize("filter_", [None, {"color": ["color 1", "color 2"]}, {"{field}": {"gte": 120}}])
def test_a_page_reads_few_entries_of_the_price_indexes(session: Session, sort: str, after: str, filter_: Any) -> None:
    field = sort.removesuffix(" desc")
    written = "null" if filter_ is None else f"'{json.dumps(filter_)}'".replace("{field}", field)
    place = after.format(sort=sort, id="80000000-0000-0000-0000-000000000000")
    statements = session.execute(
        f"select * from shop_private.browse_keys({written}, 'main', null, '{sort}', {place})"  # type: ignore[arg-type]
    ).fetchall()
    assert len(statements) == (1 if "||" in place else 2)
    if field in written:
        # The last statement reads all products without a price, because none of them passes the filter.
        statements = statements[:-1]
    for (statement,) in statements:
        read, plan = scans(session, statement.replace("$1", "24"))
        assert sum(read.values()) <= 200, plan
        assert set(read) <= {BY_PRICE, BY_SALE_PRICE}, plan
        if "union all" in statement:
            assert set(read) == {BY_PRICE, BY_SALE_PRICE}, plan


def test_a_page_reads_few_entries_of_both_price_indexes_if_every_price_has_a_sale(session: Session) -> None:
    session.execute("reset role")
    with session.transaction(force_rollback=True):
        session.execute("update shop.product set sale_price = price / 2, sale_ends_at = null")
        [(statement,), _] = session.execute(
            "select * from shop_private.browse_keys(null, 'main', null, 'effective_price', null)"
        ).fetchall()
        read, plan = scans(session, statement.replace("$1", "24"))
    session.execute(f"set role {ROLES.analyst}")
    assert read[BY_PRICE] <= 30, plan
    assert read[BY_SALE_PRICE] <= 30, plan


# The next three tests sort in orders that no index has.

GENERAL = st.sampled_from(
    ["title", "color desc", "color, effective_price desc", "discount desc, color", "price, color"]
)


@given(PRODUCTS, GENERAL, st.sampled_from(FILTERS), st.integers(1, 7))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_all_pages_of_a_sort_without_an_index_have_the_order_of_a_plain_order_by(
    shop: "Shop", products: list[tuple[Any, ...]], sort: str, filter_: Any, k: int
) -> None:
    effective = "shop.effective_price(price, sale_price, sale_starts_at, sale_ends_at)"
    expressions = {
        "effective_price": effective,
        "discount": f"case when {effective} < price then 1 - {effective} / price end",
    }
    keys = [key.split() for key in sort.split(", ")]
    with shop.database.connect(None) as conn:
        for n, (price, sale, starts, ends, color, catalog) in enumerate(products):
            given = {"price": price, "sale": sale, "starts": starts, "ends": ends, "color": color, "catalog": catalog}
            conn.execute(INSERT, {"sku": f"p{n}", **given})
        conn.execute(text("insert into shop.catalog (catalog) values ('a'), ('b') on conflict do nothing"))
        written = None if filter_ is None else json.dumps(filter_)
        condition = conn.scalar(text("select shop.filter_sql(cast(:filter as jsonb))"), {"filter": written}) or "true"
        ordering = ", ".join(f"{expressions.get(name, name)} {' '.join(way)} nulls last" for name, *way in keys)
        expected = conn.exec_driver_sql(
            f"select sku from shop.product p where catalog = 'a' and ({condition.replace('%', '%%')}) "
            f"order by {ordering}, product_id"
        )
        listed = list(pages(conn, k, sort, filter=written, catalog="a"))
        assert [item.sku for page in listed for item in page] == list(expected.scalars())
        conn.rollback()


def test_a_page_continues_behind_the_previous_page_after_products_have_changed(shop: "Shop") -> None:
    from tests.support.shop import product

    shop.load(*(product(sku, f"title {sku}") for sku in "bcdef"))
    conn = shop.connect(Role.ANALYST)
    [*_, last] = ranking.browse(conn, SearchParams(k=2), "title")
    assert last.sku == "c"
    shop.load(product("a", "title a"), product("cc", "title cc"))
    shop.run("delete from shop.product where sku = 'b'")
    rest = ranking.browse(conn, SearchParams(after=last.cursor), "title")
    assert [row.sku for row in rest] == ["cc", "d", "e", "f"]
    shop.run("update shop.product set title = 'title z' where sku = 'c'")
    # The cursor names rank 2 and the products c and b. Neither has its place any more, so the page begins after rank 0.
    rest = ranking.browse(conn, SearchParams(after=last.cursor), "title")
    assert [row.sku for row in rest] == ["a", "cc", "d", "e", "f", "c"]


@pytest.mark.parametrize("change", ["delete from shop.product", "update shop.product set title = 'zzz'"])
def test_no_product_is_skipped_when_the_last_product_of_a_page_leaves_its_place(shop: "Shop", change: str) -> None:
    from tests.support.shop import product

    shop.load(*(product(sku, f"title {sku}") for sku in "abcdef"))
    conn = shop.connect(Role.ANALYST)
    first = ranking.browse(conn, SearchParams(k=2), "title")
    second = ranking.browse(conn, SearchParams(k=1, after=first[-1].cursor), "title")
    assert [row.sku for row in second] == ["c"]
    for gone in ("c", "b"):
        shop.run(f"{change} where sku = :sku", sku=gone)
        rest = ranking.browse(conn, SearchParams(k=3, after=second[-1].cursor), "title")
        assert [row.sku for row in rest][:3] == ["d", "e", "f"]


@pytest.mark.parametrize("sort", ["price", "effective_price desc", "title, sale_price"])
def test_prices_of_several_currencies_are_not_compared(shop: "Shop", sort: str) -> None:
    from tests.support.shop import product

    shop.load(
        product("a", price="2", sale_price="1", currency="EUR"),
        product("b", price="3", sale_price="2", currency="USD"),
        product("c"),
    )
    conn = shop.connect(Role.ANALYST)
    with pytest.raises(StatementRefused, match="their prices are in EUR, USD"):
        ranking.browse(conn, SearchParams(), sort)
    for filter_, found in (
        ({"currency": "EUR"}, {"a"}),
        ({"and": [{"currency": "USD"}]}, {"b"}),
        ({"price": None}, {"c"}),
    ):
        assert {row.sku for row in ranking.browse(conn, SearchParams(filter=json.dumps(filter_)), sort)} == found
    assert len(ranking.browse(conn, SearchParams(), "title")) == 3
    shop.run("update shop.product set currency = 'EUR' where currency = 'USD'")
    assert len(ranking.browse(conn, SearchParams(), sort)) == 3


def test_only_the_prices_that_a_sort_compares_need_one_currency(shop: "Shop") -> None:
    from tests.support.shop import product

    shop.load(product("a", price="2", sale_price="1", currency="EUR"), product("b", price="3", currency="USD"))
    conn = shop.connect(Role.ANALYST)
    assert [row.sku for row in ranking.browse(conn, SearchParams(), "sale_price")] == ["a", "b"]
    shop.run("update shop.product set price = null, sale_price = null, compare_at_price = 5")
    with pytest.raises(StatementRefused, match="their prices are in EUR, USD"):
        ranking.browse(conn, SearchParams(), "compare_at_price")
