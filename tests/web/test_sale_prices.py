"""REST shows the effective price of a product and the price before a reduction. Facets count effective and regular
prices."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db.engine import Database
from tests.support.web_service import Serve

# Maps each SKU to the change of the product, the effective price after the change, and the price before the reduction.
# Before the change, product n costs 1.5 n EUR.
SALES: dict[str, tuple[str, float | None, float | None]] = {
    "sku 40": ("sale_price = 1.25", 1.25, 60),
    "sku 41": ("sale_price = 1.25, sale_ends_at = '2000-01-01'", 61.5, None),
    "sku 42": ("compare_at_price = 99", 63, 99),
    "sku 43": ("compare_at_price = 2", 64.5, None),
    "sku 44": ("price = null, sale_price = 5", 5, None),
    "sku 45": ("price = null", None, None),
}


@pytest.fixture
def client(serve: Serve, own_database: Database) -> Iterator[httpx.Client]:
    with own_database.connect(None) as conn, conn.begin():
        for sku, (change, *_) in SALES.items():
            conn.execute(text(f"update shop.product set {change} where sku = :sku"), {"sku": sku})
    with serve(own_database) as client:
        yield client


def shown(product: dict[str, Any]) -> tuple[float | None, float | None]:
    return product["effective_price"], product["price_before"]


def test_search_results_and_products_show_the_effective_price_and_the_price_before(client: httpx.Client) -> None:
    expected = {sku: (effective, before) for sku, (_, effective, before) in SALES.items()} | {"sku 46": (69, None)}
    body = {"query": "bag", "top_k": 60, "filter": {"sku": list(expected)}}
    results = client.post("/search/text", json=body).json()["results"]
    assert {result["sku"]: shown(result) for result in results} == expected
    similar = client.get("/products/sku 1/similar", params={"top_k": 60}).json()["results"]
    assert {result["sku"]: shown(result) for result in similar if result["sku"] in expected} == expected
    assert {sku: shown(client.get(f"/products/{sku}").json()) for sku in expected} == expected
    assert {sku: client.get(f"/products/{sku}").json()["price"] for sku in ("sku 40", "sku 44")} == {
        "sku 40": 60,
        "sku 44": None,
    }


def test_facets_count_both_prices_by_default_and_the_regular_price_alone_on_request(
    client: httpx.Client,
) -> None:
    filter_ = {"sku": ["sku 40", "sku 41"]}

    def lowest(**asked: Any) -> dict[str, float]:
        facets = client.post("/facets", json={"filter": filter_, **asked}).json()["facets"]
        return {
            facet["field"]: min(value["low"] for value in facet["values"] if value["kind"] == "range")
            for facet in facets
            if facet["field"].endswith("price")
        }

    default, price = lowest(), lowest(fields=["price"])
    assert default["effective_price"] <= 1.25
    assert default["price"] == price["price"] > 30
    assert set(price) == {"price"}
