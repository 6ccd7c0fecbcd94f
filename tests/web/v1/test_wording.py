"""Errors of REST use no names of SQL, and errors of the tools of assistants use no names of SQL or REST. Empty and
short answers give a reason. Any number can be compared with a numeric field."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db.catalog import catalogs
from tests.support.servers.assistants import ToolFailed, address_of, call

OF_SQL = ("after", " k ", "rrf_k", "column", "leg", "bytea", "image_box", "argument")
OF_REST = ("page is", "as page", "without page", "top_k", "weights", "inputs")
SKU = [{"sku": "sku 1"}]


@pytest.mark.parametrize(
    "body",
    [
        {"query": "bag", "page": "x"},
        {"query": "bag", "page": f"{'a' * 32}.1.10.5"},
        {"page": "list.x"},
        {"query": "bag", "sort": "price", "page": "x"},
        {"inputs": SKU, "change": "red", "weights": {"title": 1}},
        {"query": "bag", "change": "red"},
        {"change": "red"},
        {"inputs": SKU, "change": "red", "query": "bag"},
        {"inputs": SKU, "change": "laces", "sort": "price"},
        {"query": "bag", "sort": "price", "diversity": 0.5},
        {"query": "bag", "sort": "nothing"},
        {"query": "bag", "sort": "price,,"},
        {"query": "bag", "sort": "price, price"},
        {"query": "bag", "group_by": "nothing"},
        {"query": "bag", "weights": {"image": 0, "title": 0, "keyword": 0}},
        {"inputs": [{}]},
        {"inputs": [{"text": "bag", "sku": "sku 1"}]},
        {"inputs": [{"image": "!"}]},
        {"inputs": [{"sku": "sku 1", "weight": -1}]},
        {"inputs": [{"vector": [1.0], "model": "toy"}]},
        {"inputs": [{"vector": [0.0] * 24, "model": "other"}]},
        {"query": "bag", "filter": {"nothing": 1}},
        {"query": "bag\0"},
        {"query": "bag", "filter": {"brand": "a\0"}},
        {"query": "bag", "catalog": "nosuch"},
    ],
)
def test_errors_of_a_search_use_no_names_of_sql(client: httpx.Client, body: dict[str, Any]) -> None:
    problem = client.post("/v1/search", json=body).json()
    assert 400 <= problem["status"] < 500, problem
    shown = f" {problem['detail']} {problem.get('hint', '')} "
    assert not [word for word in OF_SQL if word in shown], shown


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("explain", {}),
        ("search", {"query": "bag", "cursor": "x"}),
        ("search", {"query": "bag", "cursor": f"{'a' * 32}.1.10.5"}),
        ("search", {"query": "bag", "filter": {"nothing": 1}}),
        ("search", {"query": "bag", "filter": {"brand": "a\0"}}),
        ("search", {"query": "bag\0"}),
        ("search", {"sku": "nosuch"}),
    ],
)
def test_errors_of_a_tool_use_no_names_of_sql_or_rest(
    client: httpx.Client, tool: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ToolFailed) as failed:
        call(address_of(client), tool, arguments)
    assert not [word for word in (*OF_SQL, *OF_REST) if word in failed.value.text], failed.value.text


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"query": "a\0"}, "query"),
        ({"query": "bag", "filter": {"and": [{"brand": ["x", "a\0"]}]}}, "filter.and[0].brand[1]"),
        ({"inputs": [{"text": "bag"}, {"text": "a\0"}]}, "inputs[1].text"),
        ({"catalog": "a\0"}, "catalog"),
    ],
)
def test_the_error_about_a_nul_names_the_field_with_the_nul(
    client: httpx.Client, body: dict[str, Any], place: str
) -> None:
    answer = client.post("/v1/search", json=body)
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        f"{place} has a NUL character, which no text may have.",
    )


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("catalog=a&catalog=b", "The parameter catalog is given twice."),
        ("catalog=a%00", "catalog has a NUL character, which no text may have."),
    ],
)
def test_a_parameter_that_is_given_twice_or_has_a_nul_is_refused(client: httpx.Client, query: str, detail: str) -> None:
    answer = client.get(f"/v1/products/x?{query}")
    assert (answer.status_code, answer.json()["detail"]) == (422, detail)


def test_each_numeric_field_can_be_compared_with_fractions_and_large_numbers(serve: Any, own_database: Any) -> None:
    cases: list[tuple[dict[str, Any], bool]] = [
        ({"quantity": {"gte": 0.5}}, True),
        ({"quantity": {"lt": 1.0}}, False),
        ({"quantity": {"lt": 3000000000}}, True),
        ({"quantity": {"gt": 3000000000}}, False),
        ({"quantity": [2.5, 3.0]}, True),
        ({"quantity": 3.5}, False),
        ({"quantity": {"ne": 3.5}}, True),
        ({"review_count": {"gt": 6.5, "lt": 1e20}}, True),
        ({"rating": {"lt": 1e20}}, True),
        ({"price": {"gt": -1e20, "lt": 1e50}}, True),
        ({"effective_price": {"gte": 0.001, "lt": 1e50}}, True),
        ({"compare_at_price": {"gt": 1e50}}, False),
    ]
    product = {"sku": "N", "title": "n", "price": 5, "currency": "EUR", "quantity": 3, "rating": 4.5, "review_count": 7}
    product["compare_at_price"] = 9
    with serve(own_database) as client:
        client.put("/v1/products", json={"products": [product]}).raise_for_status()
        for condition, found in cases:
            answer = client.post("/v1/search", json={"filter": {"sku": "N", **condition}})
            assert (answer.status_code, answer.json().get("total")) == (200, int(found)), (condition, answer.text)


def test_an_empty_list_has_a_reason_and_facets_without_values(client: httpx.Client) -> None:
    asked = {"filter": {"color": "nothing"}, "facets": ["brand", "attributes.strap_cm"]}
    empty = client.post("/v1/search", json=asked).json()
    assert (empty["results"], empty["total"], empty["reason"]) == ([], 0, "none matches the filter")
    assert [(facet["field"], facet["exact"], facet["values"]) for facet in empty["facets"]] == [
        ("brand", True, []),
        ("attributes.strap_cm", True, []),
    ]
    counted = client.post("/v1/facets", json={"filter": {"color": "nothing"}, "fields": ["brand"]}).json()
    assert [facet["field"] for facet in counted["facets"]] == ["brand"]
    assert (
        client.post("/v1/search", json={"query": "bag", "filter": {"color": "nothing"}}).json()["reason"]
        == (empty["reason"])
    )


def test_the_last_page_says_why_it_is_short(client: httpx.Client) -> None:
    whole = client.post("/v1/search", json={"query": "bag", "top_k": 100}).json()
    assert (len(whole["results"]), whole["reason"]) == (60, None)
    similar = client.post("/v1/search", json={"query": "bag", "top_k": 100, "min_similarity": 0.2}).json()
    left = 60 - len(similar["results"])
    assert 0 < left < 60
    assert similar["reason"] == f"{left} more match but are not similar enough"
    weights = {"image": 0, "title": 0, "keyword": 1}
    words = client.post("/v1/search", json={"query": "number7", "weights": weights}).json()
    assert words["reason"] == "59 more match but no leg of the search found them"


def test_the_catalog_main_always_exists_and_a_missing_catalog_is_named(serve: Any, own_database: Any) -> None:
    with serve(own_database) as client:
        for _ in range(2):
            assert client.delete("/v1/catalogs/main").status_code == 200
            assert [one["catalog"] for one in client.get("/v1/catalogs").json()["catalogs"]] == ["main"]
        for method, body in (("GET", None), ("PATCH", {"price": 1}), ("DELETE", None)):
            answer = client.request(method, "/v1/products/x?catalog=nosuch", json=body)
            assert (answer.status_code, answer.json()["detail"]) == (404, "There is no catalog nosuch.")


def test_a_product_whose_attributes_are_a_list_is_rejected(serve: Any, own_database: Any) -> None:
    with serve(own_database) as client:
        [outcome] = client.put(
            "/v1/products", json={"products": [{"sku": "a", "title": "a", "attributes": [1]}]}
        ).json()["products"]
    assert (outcome["status"], outcome["reason"]) == ("rejected", "attributes is a list; write an object")


def test_the_address_of_an_image_may_have_a_scheme_in_capitals(client: httpx.Client) -> None:
    details = [
        client.post("/v1/search", json={"image_url": f"{scheme}://127.0.0.1/a.png"}).json()["detail"]
        for scheme in ("http", "HTTP")
    ]
    assert details[0] == details[1]
    assert details[0].startswith("image_url cannot be fetched")


@pytest.mark.parametrize(
    ("content", "kind", "status"), [(b"{}", "text/plain", 415), (b" " * 5_000_000, "application/json", 413)]
)
def test_a_faulty_request_to_mcp_gets_a_problem(client: httpx.Client, content: bytes, kind: str, status: int) -> None:
    answer = client.post("/mcp", content=content, headers={"Content-Type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["detail"]


def test_two_tools_show_the_same_two_prices_and_a_filter_can_use_each_price(serve: Any, own_database: Any) -> None:
    product = {"sku": "S", "title": "bag", "price": 100, "sale_price": 60, "currency": "EUR"}
    with serve(own_database) as client:
        client.put("/v1/products", json={"products": [product]}).raise_for_status()

        def found(condition: dict[str, Any]) -> list[Any]:
            answer = call(address_of(client), "search", {"query": "bag", "filter": {"sku": "S", **condition}})
            return [(one["price"], one["effective_price"]) for one in answer.get("results", [])]

        assert found({"effective_price": {"lt": 70}}) == found({"price": {"gt": 70}}) == [(100, 60)]
        assert found({"price": {"lt": 70}}) == []
        shown = call(address_of(client), "product", {"sku": "S"})
    assert (shown["price"], shown["effective_price"]) == (100, 60)


def test_the_default_catalog_has_products_or_is_main(own_database: Any) -> None:
    zzz = "insert into shop.product (product_id, catalog, sku, title) select shop.product_id('a', c), c, 'a', 'a' from "
    zzz += "(values ('zzz')) v(c)"
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text(zzz))
        assert catalogs.default_catalog(conn) == "main"
        conn.execute(text("delete from shop.product where catalog = 'main'"))
        assert catalogs.default_catalog(conn) == "zzz"
        conn.execute(text("delete from shop.product"))
        assert catalogs.default_catalog(conn) == "main"
