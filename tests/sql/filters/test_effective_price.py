"""The filter effective_price and the views use the lower of the price and the sale price while the sale is on. At other
times, they use the price."""

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.shop import Shop

PAST, FUTURE = "now() - interval '1 day'", "now() + interval '1 day'"
# Maps each SKU to the SQL of its price, its sale price, and the start and end of its sale.
PRODUCTS = {
    "plain": ("100", "null", "null", "null"),
    "on": ("100", "60", "null", "null"),
    "on-dated": ("100", "60", PAST, FUTURE),
    "not-begun": ("100", "60", FUTURE, "null"),
    "over": ("100", "60", "null", PAST),
    "higher": ("100", "120", "null", "null"),
    "only-sale": ("null", "60", "null", "null"),
    "only-sale-over": ("null", "60", "null", PAST),
    "none": ("null", "null", "null", "null"),
}
AT_60 = {"on", "on-dated", "only-sale"}
AT_100 = {"plain", "not-begun", "over", "higher"}
NONE = {"only-sale-over", "none"}


@pytest.mark.parametrize(
    ("operators", "skus"),
    [
        (60, AT_60),
        (100, AT_100),
        (120, set()),
        ({"lt": 100}, AT_60),
        ({"lte": 100}, AT_60 | AT_100),
        ({"gt": 60}, AT_100),
        ({"gte": 60, "lt": 61}, AT_60),
        ({"ne": 60}, AT_100 | NONE),
        ([60, 7], AT_60),
        ([100, None], AT_100 | NONE),
        ({"nin": [100, None]}, AT_60),
        ({"nin": [60]}, AT_100 | NONE),
        (None, NONE),
        ({"exists": True}, AT_60 | AT_100),
        ({"exists": False}, NONE),
    ],
)
def test_each_operator_tests_the_price_at_the_time_of_the_statement(
    shop: "Shop", operators: Any, skus: set[str]
) -> None:
    for sku, values in PRODUCTS.items():
        shop.run(
            "insert into shop.product (product_id, sku, title, price, sale_price, sale_starts_at, sale_ends_at) "
            f"values (shop.product_id('{sku}'), '{sku}', 'x', {', '.join(values)})"
        )
    rows = shop.run(
        "select sku from shop.product p where "
        + str(shop.value(f"select shop.filter_sql('{json.dumps({'effective_price': operators})}')"))
    )
    assert {row[0] for row in rows} == skus


def test_plain_sql_on_the_views_filters_and_sorts_by_the_price_of_this_moment(shop: "Shop") -> None:
    shop.add(*PRODUCTS)
    for sku, (price, sale_price, starts_at, ends_at) in PRODUCTS.items():
        shop.run(
            f"update shop.product set price = {price}, sale_price = {sale_price}, sale_starts_at = {starts_at}, "
            f"sale_ends_at = {ends_at} where sku = '{sku}'"
        )
    shop.encode_all()
    for view in ("shop.searchable", "shop.searchable_image"):
        rows = shop.run(f"select sku from {view} where effective_price < 80 order by effective_price, sku")
        assert [row.sku for row in rows] == sorted(AT_60)
        rows = shop.run(f"select sku from {view} order by effective_price desc nulls first, sku")
        assert [row.sku for row in rows] == [*sorted(NONE), *sorted(AT_100), *sorted(AT_60)]
