"""Fixtures provide a shop with margins for signals, a shop of two brands for rules, and a shop with judged queries."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from tests.sql.ranking import asking
from tests.support.judging import judged
from tests.support.shop import Shop, product

SKUS = [f"s{n}" for n in range(8)]
SEARCH = "select sku, score, shop_ranking from shop.search('query', k => 8, keyword_weight => 0{}) order by rank"


@pytest.fixture
def erp(shop: Shop) -> Iterator[Shop]:
    """Yields a shop with eight encoded products. The view erp.margin has their margins. Of the site's roles, only app
    may read this view."""
    shop.add(*SKUS)
    shop.encode_all()
    shop.cache("query")
    shop.run("drop schema if exists erp cascade")
    shop.run("create schema erp")
    shop.run("create table erp.cost (sku text primary key, cost numeric, margin double precision)")
    shop.run("insert into erp.cost select 's' || n, 10, n from generate_series(0, 7) n")
    shop.run(
        "create view erp.margin as select p.product_id, c.sku, c.margin as value "
        "from shop.product p join erp.cost c using (sku)"
    )
    shop.run("grant usage on schema erp to shop_app")
    shop.run("grant select on erp.margin to shop_app")
    yield shop
    for name in shop.run("select name from shop.signal where defined_by is not null"):
        shop.run("select shop.drop_signal(:name)", name=name[0])
    shop.run("update shop.signal set weight = 0")
    shop.run("drop schema erp cascade")


@pytest.fixture
def stocked(shop: Shop) -> Iterator[Shop]:
    shop.load(*(product(sku, brand="Nord" if n % 2 else "Alp", product_type="bags") for n, sku in enumerate(SKUS)))
    shop.encode_all()
    for n, query in enumerate(("red shoes", "shoes", "warm winter coat")):
        shop.cache(query, seed=n)
    shop.run("delete from shop.rule")
    yield shop
    shop.run("delete from shop.rule")


@pytest.fixture
def suite(shop: Shop) -> Iterator[Shop]:
    shop.load(*(product(sku, brand="Nord" if n % 2 else "Alp", price=10 + n) for n, sku in enumerate(asking.SKUS)))
    shop.encode_all()
    shop.run("update shop.product set availability = 'in_stock'")
    for n, query in enumerate(asking.QUERIES):
        shop.cache(query, seed=n)
        judged(shop, *((query, sku, grade) for sku, grade in (("s1", 3), ("s4", 2), ("s9", 1))))
    asking.clean(shop)
    yield shop
    asking.clean(shop)


def found(conn: Connection, more: str = "") -> list[str]:
    return [row.sku for row in conn.execute(text(SEARCH.format(more)))]


def add(conn: Connection, more: str = "", name: str = "margin") -> None:
    conn.exec_driver_sql(f"select shop.add_signal('{name}', 'erp.margin'{more})")


def explained(conn: Connection, more: str = "") -> dict[str, tuple[str | None, str | None]]:
    statement = (
        f"select step, route, note from shop.explain_search('query', k => 8, keyword_weight => 0, sku => 's7'{more})"
    )
    return {row.step: (row.route, row.note) for row in conn.execute(text(statement)) if "signal" in row.step}
