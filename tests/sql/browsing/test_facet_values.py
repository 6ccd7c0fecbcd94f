"""Rows of shop.facets keep the JSON types of their values. The filter of a row finds as many products as the row
counts. The row that counts all further values has no filter. Prices are counted separately for each currency."""

import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection

from db.catalog.product import Product
from db.roles import Role
from db.search import ranking
from db.search.ranking import SearchParams

if TYPE_CHECKING:
    from tests.support.shop import Shop

BRANDS = ["Acme", "Größe & Söhne", "O'Neill", "back\\slash", '100 % "new"', "'; drop table x; --", "", None]


@pytest.fixture
def analyst(shop: "Shop") -> Connection:
    return shop.connect(Role.ANALYST)


def facets(conn: Connection, fields: list[str], filter_: Any = None, limit: int = 20) -> list[Any]:
    """Returns the rows of shop.facets with their JSON parsed."""
    rows = ranking.facets(conn, SearchParams(filter=json.dumps(filter_ or {})), fields, limit, buckets=4)
    read = [(row, row.value_json and json.loads(row.value_json), json.loads(row.row_filter or "null")) for row in rows]
    return [replace(row, value_json=value, row_filter=found) for row, value, found in read]


ODD_VALUES: list[Any] = [
    True, False, "true", "false", 10, "10", 10.5, "10.5", 1e20, "1e20", "", " ", "null", None, [], ["a"], [["a"]],
    [None], [True, "true"], {}, {"a": 1}, [{"a": 1}], "[]", "{}", "'", "\\", '"', "%s", "É", "é", 12345678901234567,
    "x" * 10_001,
]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_the_filter_of_each_row_finds_as_many_products_as_the_row_counts(
    shop: "Shop", analyst: Connection, seed: int
) -> None:
    chance = random.Random(seed)
    shop.load(
        *(
            Product(
                f"{n}", f"{n}", brand=chance.choice(BRANDS), currency=chance.choice(["EUR", "JPY", "USD", None]),
                price=chance.choice([None, Decimal(chance.randint(1, 99))]),
                attributes={
                    "odd": chance.choice(ODD_VALUES), "n": chance.choice([1, 2.25, 7, 400]), "a.b": {"c": n % 2 > 0}
                },
            )
            for n in range(200)
        )
    )  # fmt: skip
    base = chance.choice(
        [{}, {"brand": "Acme"}, {"attributes.odd": "true"}, {"price": {"gt": 20}}, {"currency": "EUR"}]
    )
    fields = ["brand", "price", "currency", "attributes.odd", "attributes.n", r"attributes.a\.b.c"]
    limit = chance.choice([3, 50])
    for row in facets(analyst, fields, base, limit=limit):
        assert (row.row_filter is None) == (row.kind == "other")
        if row.kind != "other":
            found = browsed(analyst, {**base, **row.row_filter})
            assert found == row.products, row
        if row.kind == "value":
            assert browsed(analyst, {**base, row.field: {"eq": row.value_json}}) == row.products


def browsed(conn: Connection, filter_: Any) -> int:
    return len(ranking.browse(conn, SearchParams(filter=json.dumps(filter_), k=1000)))


def test_facet_values_keep_their_json_type(shop: "Shop", analyst: Connection) -> None:
    values: list[Any] = [True, "true", "true", 10, "10", "10", "10", False]
    shop.load(*(Product(f"{n}", f"{n}", attributes={"flag": v}) for n, v in enumerate(values)))
    rows = facets(analyst, ["attributes.flag"])
    assert [(row.value, row.value_json, row.products) for row in rows] == [
        ("10", "10", 3), ("true", "true", 2), ("10", 10, 1), ("false", False, 1), ("true", True, 1),
    ]  # fmt: skip
    assert [type(row.value_json) for row in rows] == [str, str, int, bool, bool]


def test_each_currency_has_its_own_price_ranges(shop: "Shop", analyst: Connection) -> None:
    prices = [("EUR", 10), ("EUR", 20), ("EUR", 20), ("JPY", 3000), ("JPY", 9000), (None, 5), ("USD", None)]
    shop.load(
        *(Product(f"{n}", f"{n}", currency=c, price=p and Decimal(p)) for n, (c, p) in enumerate(prices))
    )  # fmt: skip
    rows = facets(analyst, ["price"])
    assert [(row.kind, row.currency, row.low, row.high, row.products) for row in rows] == [
        ("range", "EUR", 10, 20, 1), ("range", "EUR", 20, 20, 2), ("range", "JPY", 0, 10000, 2),
        ("range", None, 5, 5, 1), ("missing", None, None, None, 1),
    ]  # fmt: skip
    assert rows[0].row_filter == {"price": {"gte": 10, "lt": 20}, "currency": "EUR"}


def test_a_facet_of_effective_prices_counts_the_prices_at_the_time_of_the_statement(
    shop: "Shop", analyst: Connection
) -> None:
    past, future = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    shop.load(
        Product("no sale", "a", currency="EUR", price=Decimal(40)),
        Product("on sale", "b", currency="EUR", price=Decimal(40), sale_price=Decimal(10)),
        Product("later", "c", currency="EUR", price=Decimal(40), sale_price=Decimal(10), sale_starts_at=future),
        Product("over", "d", currency="EUR", price=Decimal(20), sale_price=Decimal(10), sale_ends_at=past),
        Product("no price", "e", currency="EUR"),
    )
    rows = facets(analyst, ["effective_price"])
    assert sum(row.products for row in rows if row.kind == "range") == 4
    for row in rows:
        found = ranking.browse(analyst, SearchParams(filter=json.dumps(row.row_filter), k=10))
        assert len(found) == row.products
    cheap = next(row for row in rows if row.low is not None and row.low <= 10 < row.high)
    found = ranking.browse(analyst, SearchParams(filter=json.dumps(cheap.row_filter), k=10))
    assert [each.sku for each in found] == ["on sale"]
    assert facets(analyst, ["effective_price"], {"effective_price": {"lt": 15}}) == rows
