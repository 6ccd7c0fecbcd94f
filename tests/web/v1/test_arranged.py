"""POST /v1/search sorts, groups and diversifies results, and GET /v1/suggest completes what a shopper types."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db import api_keys
from db.engine import Database
from tests.support.web_service import PRODUCTS, SETTINGS, served


def ask(client: httpx.Client, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.post("/v1/search", json=body).raise_for_status().json()
    return answer


def refusal(client: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = client.post("/v1/search", json=body)
    assert answer.status_code == 422, answer.text
    problem: dict[str, Any] = answer.json()
    return problem


def pages(client: httpx.Client, **body: Any) -> list[dict[str, Any]]:
    page, results = None, []
    while True:
        answer = ask(client, page=page, **body)
        results += answer["results"]
        page = answer["next"]
        if page is None:
            return results


def test_a_search_is_sorted_over_all_pages_and_its_facets_count_the_same_products(client: httpx.Client) -> None:
    prices = [result["price"] for result in pages(client, query="bag", sort="price desc", top_k=7)]
    assert len(prices) > 7
    assert prices == sorted(prices, reverse=True)
    answer = ask(client, query="bag", sort="price desc", facets=["color"])
    assert answer["total"] == len(prices) == sum(v["products"] for f in answer["facets"] for v in f["values"])
    assert [
        r["sku"] for r in client.post("/search", json={"query": "bag", "sort": "price desc"}).json()["results"]
    ] == [r["sku"] for r in answer["results"]]


def test_a_signal_sorts_a_search_over_all_pages_but_cannot_sort_a_list(client: httpx.Client) -> None:
    body = {"query": "bag", "sort": "stock desc, freshness, price desc"}
    whole = [result["sku"] for result in ask(client, top_k=1000, **body)["results"]]
    assert [result["sku"] for result in pages(client, top_k=7, **body)] == whole
    problem = refusal(client, sort="stock")
    assert problem["detail"].startswith("a list without a query cannot be sorted by a signal")


def test_signals_of_a_request_change_the_order(own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(
            text(
                "update shop.product set availability = case when substr(sku, 5)::int % 3 = 0 then 'in_stock' "
                "else 'out_of_stock' end"
            )
        )
    with served(own_database, SETTINGS) as client:
        for path in ("/v1/search", "/search"):

            def stock(path: str = path, **body: Any) -> list[str]:
                answer = client.post(path, json={"query": "bag", "top_k": 1000, **body}).raise_for_status().json()
                return [result["availability"] for result in answer["results"]]

            plain, most = stock(), stock(signals={"stock": 10})
            assert most == sorted(plain) != plain
            assert stock(signals={"stock": -10}) == most[::-1]
            assert stock(signals={"stock": 0}) == plain


def test_a_list_is_sorted_over_all_pages(client: httpx.Client) -> None:
    for sort in ("price", "price desc", "title, price desc"):
        listed = pages(client, sort=sort, top_k=7)
        assert len({result["sku"] for result in listed}) == len(listed) == PRODUCTS
    titles = [result["title"] for result in listed]
    assert titles == sorted(titles)
    cursor = ask(client, sort="price", top_k=1)["next"]
    assert "cursor belongs to another search" in refusal(client, sort="title", page=cursor)["detail"]


def test_wrong_options_are_refused(client: httpx.Client) -> None:
    for body in ({"query": "bag"}, {}):
        problem = refusal(client, sort="prise", **body)
        assert problem["detail"].startswith('sort has no field "prise"; did you mean "price"')
        assert "effective_price" in problem["hint"]
        refusal(client, sort="", **body)
        refusal(client, sort="x" * 2001, **body)
    assert "group_by has no field" in refusal(client, query="bag", group_by="nonsense")["detail"]
    assert "sort and diversity" in refusal(client, query="bag", sort="price", diversity=0.5)["detail"]
    for diversity in (-1, 1.5, "much"):
        refusal(client, query="bag", diversity=diversity)
    for name, value in (("group_by", "brand"), ("diversity", 0.5)):
        assert refusal(client, **{name: value})["detail"] == f"{name} needs a query, an image or inputs."


def test_with_group_by_each_result_stands_for_a_group(client: httpx.Client) -> None:
    results = pages(client, query="bag", group_by="color", top_k=2)
    values = [result["group"]["value"] for result in results]
    assert len(values) == len(set(values))
    assert sum(result["group"]["products"] for result in results) == PRODUCTS
    for result in results:
        assert result["group"]["lowest_price"] <= result["price"] <= result["group"]["highest_price"]
    assert ask(client, query="bag")["results"][0]["group"] is None
    sku = results[0]["sku"]
    similar = client.get(f"/v1/products/{sku}/similar", params={"group_by": "color", "diversity": 0.2}).json()
    assert len(similar["results"]) == len(values)
    by_price = client.get(f"/v1/products/{sku}/similar", params={"sort": "price"}).json()["results"]
    assert [r["price"] for r in by_price] == sorted(r["price"] for r in by_price)


def test_a_diverse_search_returns_the_same_products_in_another_order(client: httpx.Client) -> None:
    plain = [result["sku"] for result in pages(client, query="bag", top_k=20)]
    diverse = [result["sku"] for result in pages(client, query="bag", top_k=20, diversity=0.9)]
    assert sorted(plain) == sorted(diverse)
    assert plain != diverse


@pytest.fixture
def searched(own_database: Database) -> Database:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(
            text(
                "insert into shop.event (kind, query, visitor, results, catalog) select 'search', q, 'v' || n, 3, c "
                "from generate_series(1, 6) n, (values ('bag of leather', 'main'), ('bag of gold', 'berlin')) v(q, c)"
            )
        )
        conn.execute(text("insert into shop.catalog (catalog) values ('berlin') on conflict do nothing"))
        conn.execute(text("select shop.refresh_suggestions()"))
    return own_database


def suggest(client: httpx.Client, prefix: str, **params: Any) -> list[str]:
    answer = client.get("/v1/suggest", params={"prefix": prefix, **params})
    return [row["text"] for row in answer.raise_for_status().json()["suggestions"]]


def test_suggestions_have_a_word_that_begins_with_the_prefix(searched: Database) -> None:
    with served(searched, SETTINGS) as client:
        assert "bag of leather" in suggest(client, "BAG")
        assert "bag of leather" in suggest(client, "leath", kinds="query")
        assert suggest(client, "x" * 1000) == suggest(client, "%") == suggest(client, "'") == []
        assert "bag of leather" in suggest(client, "")
        assert len(suggest(client, "bag", top_k=1)) == 1
        for params in ({"kinds": "title"}, {"top_k": 0}, {"top_k": 51}, {"prefix": "x" * 1001}, {"prefix": "a\0"}):
            answer = client.get("/v1/suggest", params=params)
            assert answer.status_code in (400, 422), params
        assert client.get("/v1/suggest", params={"catalog": "nowhere"}).status_code == 404


def test_a_key_gets_no_suggestions_from_catalogs_and_products_outside_its_limits(searched: Database) -> None:
    with searched.connect(None) as conn, conn.begin():
        berlin = api_keys.create(conn, "berlin", ["search"], catalogs=["berlin"])
        reds = api_keys.create(conn, "red", ["search"], filter_={"color": "red"})
    with served(searched, SETTINGS.model_copy(update={"api_keys": "on"})) as client:
        assert client.get("/v1/suggest", params={"prefix": "bag"}).status_code == 401
        client.headers["Authorization"] = f"Bearer {berlin}"
        assert suggest(client, "bag", catalog="berlin") == ["bag of gold"]
        assert client.get("/v1/suggest", params={"prefix": "bag"}).status_code == 403
        client.headers["Authorization"] = f"Bearer {reds}"
        assert suggest(client, "bag of", kinds="query") == []
        # "bags" is the product type of a red product, and is similar to the prefix.
        assert suggest(client, "bag of") == ["bags"]
        assert "bag of leather" not in suggest(client, "")
