"""Searches over HTTP return the results of shop.search, and answers say whether an encoder runs."""

import base64

import httpx
import pytest
from sqlalchemy import text

from db.engine import Database
from db.roles import Role
from tests.support.web_service import Serve, answering, cache

IMAGE = b"the bytes of an image whose vector is in the cache"


def ask(client: httpx.Client, path: str = "/search/text", **body: object) -> httpx.Response:
    return client.post(path, json=body)


def test_a_text_search_returns_the_results_of_the_sql_function(client: httpx.Client, shop_database: Database) -> None:
    with shop_database.connect(Role.ANALYST) as conn:
        expected = conn.execute(text("select sku from shop.search('bag', k => 7)")).scalars().all()
    answer = ask(client, query="bag", top_k=7)
    assert answer.status_code == 200
    assert [result["sku"] for result in answer.json()["results"]] == expected
    assert answer.json()["degraded"] is False
    assert (answer.json()["total"], answer.json()["total_is"]) == (60, "exact")


def test_a_filter_and_weights_reach_the_sql_function(client: httpx.Client) -> None:
    body = ask(client, query="bag", filter={"price": {"lt": 30}, "color": "red"}, weights={"keyword": 0}).json()
    assert {result["color"] for result in body["results"]} == {"red"}
    assert all(result["price"] < 30 for result in body["results"])
    assert all(result["why"]["keyword"]["rank"] is None for result in body["results"])
    assert body["total"] == len(body["results"]) == 6
    assert body["total_is"] == "exact"


def test_pages_neither_repeat_nor_skip_products(client: httpx.Client) -> None:
    seen: list[str] = []
    page = None
    while True:
        body = ask(client, query="bag", top_k=25, page=page).json()
        seen += [result["sku"] for result in body["results"]]
        page = body["next"]
        if page is None:
            break
    assert sorted(seen) == sorted(f"sku {n}" for n in range(1, 61))


def test_a_full_last_page_has_no_next_page(client: httpx.Client) -> None:
    first = ask(client, query="bag", top_k=30).json()
    last = ask(client, query="bag", top_k=30, page=first["next"]).json()
    assert (len(first["results"]), len(last["results"]), last["next"]) == (30, 30, None)
    assert ask(client, query="bag", top_k=60).json()["next"] is None


def test_an_empty_result_has_a_total_and_a_route_and_a_reason(client: httpx.Client) -> None:
    for body in ({"query": "bag"}, {"query": "nobody asked this"}, {"inputs": [{"sku": "sku 1"}]}):
        found = ask(client, "/search", **body, filter={"brand": "nobody"}).json()
        assert (found["results"], found["total"], found["total_is"], found["next"]) == ([], 0, "exact", None)
        assert found["route"] in ("exact", "keyword")
        assert found["rows_examined"] == 0
        assert found["reason"]


def test_an_explanation_is_returned_on_request(client: httpx.Client) -> None:
    assert ask(client, query="bag").json()["explain"] is None
    steps = ask(client, query="bag", explain=True).json()["explain"]
    assert [step["step"] for step in steps] == ["query", "filter", "image", "title", "keyword", "fusion"]


def test_without_an_encoder_a_new_text_is_searched_by_keywords(client: httpx.Client) -> None:
    answer = ask(client, query="number17 brown")
    assert answer.status_code == 200
    assert answer.headers["windowshop-degraded"] == "keywords"
    body = answer.json()
    assert body["degraded"] is True
    assert body["reason"]
    assert body["results"][0]["sku"] == "sku 17"


def test_a_degraded_search_without_results_is_marked_as_degraded(client: httpx.Client) -> None:
    answer = ask(client, query="zzzzqqqq", filter={"price": {"lt": 0}})
    assert answer.json()["results"] == []
    assert answer.json()["degraded"] is True
    assert "windowshop-degraded" in answer.headers


def test_without_an_encoder_a_new_image_gets_503(client: httpx.Client) -> None:
    answer = client.post("/search/image", files={"image": b"never asked before"})
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:windowshop:problem:encoder-unavailable"
    assert int(answer.headers["retry-after"]) >= 1


def test_an_image_in_a_form_and_in_base64_returns_the_same_results(
    client: httpx.Client, shop_database: Database
) -> None:
    with shop_database.connect(None) as conn, conn.begin():
        cache(conn, b"i", IMAGE, None, 3)
    as_form = client.post(
        "/search/image", files={"image": IMAGE}, data={"top_k": "4", "filter": '{"color": "red"}', "explain": "true"}
    )
    as_json = ask(
        client,
        "/search/image",
        image=base64.b64encode(IMAGE).decode(),
        top_k=4,
        filter={"color": "red"},
    )
    assert as_form.status_code == as_json.status_code == 200
    assert as_form.json()["results"] == as_json.json()["results"]
    assert len(as_form.json()["results"]) == 4
    assert as_form.json()["explain"]


def test_an_input_with_a_negative_weight_changes_the_results(client: httpx.Client) -> None:
    like = ask(client, "/search", inputs=[{"sku": "sku 3"}], top_k=3)
    unlike = ask(client, "/search", inputs=[{"sku": "sku 3"}, {"text": "red", "weight": -0.9}], top_k=3)
    assert like.status_code == unlike.status_code == 200
    assert like.json()["results"] != unlike.json()["results"]
    assert "sku 3" not in [result["sku"] for result in like.json()["results"]]


def test_similar_products_pass_the_filter(client: httpx.Client) -> None:
    answer = client.get("/products/sku 5/similar", params={"top_k": 4, "filter": '{"product_type": "shoes"}'})
    assert answer.status_code == 200
    assert {result["product_type"] for result in answer.json()["results"]} == {"shoes"}
    assert len(answer.json()["results"]) == 4


def test_facets_count_the_products_that_pass_the_filter(client: httpx.Client) -> None:
    body = ask(client, "/facets", filter={"color": "red"}, fields=["color", "price"]).json()
    color, price = body["facets"]
    assert color["field"] == "color"
    assert {value["value"]: value["products"] for value in color["values"]} == {"red": 20, "black": 20, "brown": 20}
    assert sum(value["products"] for value in price["values"]) == 20
    assert {value["kind"] for value in price["values"]} == {"range"}


@pytest.mark.parametrize("given", ["a-request.1", "bad id\n", "x" * 65, None])
def test_an_answer_repeats_a_valid_request_id_and_replaces_an_invalid_one(
    client: httpx.Client, given: str | None
) -> None:
    headers = {} if given is None or "\n" in given else {"X-Request-ID": given}
    shown = client.get("/health", headers=headers).headers["x-request-id"]
    assert (shown == given) == (given == "a-request.1")
    assert len(shown) <= 64


def test_without_an_encoder_the_service_is_ready_and_reports_that_no_encoder_runs(client: httpx.Client) -> None:
    answer = client.get("/ready")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert answer.json()["encoder"] == {
        "model": "toy",
        "running": False,
        "waiting_queries": 0,
        "waiting_items": 120,  # a fixture wrote the vectors without an encoder, so every item still waits
        "quarantined_items": 0,
    }


def test_a_running_encoder_is_reported_and_encodes_new_queries(serve: Serve, own_database: Database) -> None:
    with serve(own_database) as client, answering(own_database):
        assert client.get("/ready").json()["encoder"]["running"] is True
        fresh = client.post("/search/text", json={"query": "never asked before"})
        assert fresh.json()["degraded"] is False
        assert client.post("/search/image", files={"image": b"never asked before"}).status_code == 200


def test_a_cursor_of_another_model_gets_409(client: httpx.Client) -> None:
    page = ask(client, query="bag", top_k=3).json()["next"]
    key, version, *place = page.split(".")
    answer = ask(client, query="bag", top_k=3, page=".".join((key, "99-" + version.split("-")[-1], *place)))
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:windowshop:problem:cursor-outdated"


def test_an_image_that_the_encoder_refuses_gets_422_with_the_reason(serve: Serve, own_database: Database) -> None:
    with serve(own_database) as client, answering(own_database, refuse="this is not an image"):
        answer = client.post("/search/image", files={"image": b"not an image"})
        assert answer.status_code == 422
        assert answer.json()["detail"] == "this is not an image"


@pytest.mark.parametrize("name", ["cut", "min_similarity", "max_gap", "weights", "filter"])
def test_a_form_with_null_is_refused_because_a_form_has_no_null(client: httpx.Client, name: str) -> None:
    for null in ("null", "NULL"):
        answer = client.post("/search/image/file", files={"image": IMAGE}, data={name: null})
        assert answer.status_code == 422
        assert name in answer.json()["detail"]
