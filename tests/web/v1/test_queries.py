"""POST /v1/search takes operators, names corrections and marks words. /v1/synonyms changes what a query finds."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db import api_keys
from db.engine import Database
from tests.support.servers.assistants import address_of, call
from tests.support.web_service import Serve

WORDS = {"weights": {"image": 0, "title": 0}, "top_k": 100}


def found(client: httpx.Client, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.post("/v1/search", json={**WORDS, **body}).raise_for_status().json()
    return answer


def colours(client: httpx.Client, query: str) -> set[str]:
    return {result["color"] for result in found(client, query=query)["results"]}


def test_operators_apply_to_results_and_totals_and_facets(client: httpx.Client) -> None:
    answer = found(client, query="shoes -red brand:nord", facets=["color", "brand"])
    assert {result["color"] for result in answer["results"]} == {"black", "brown"}
    assert {result["brand"] for result in answer["results"]} == {"Nord"}
    assert (answer["total"], answer["total_is"]) == (30, "exact"), "the total also counts products that are no shoes"
    counted = {
        facet["field"]: {value["value"]: value["products"] for value in facet["values"]} for facet in answer["facets"]
    }
    assert counted["brand"] == {"Nord": answer["total"]}
    assert set(counted["color"]) == {"black", "brown"}
    assert colours(client, '"black shoes"') == {"black"}
    alone = client.post("/v1/facets", json={"query": "-red", "fields": ["color"]}).json()
    assert {value["value"] for value in alone["facets"][0]["values"]} == {"black", "brown"}


def test_a_query_of_excluded_words_alone_gets_a_reason_and_no_results(client: httpx.Client) -> None:
    answer = found(client, query="-red")
    assert (answer["results"], answer["reason"]) == ([], "the query only excludes products")
    problem = client.post("/v1/search", json={"query": "shoe" + " -a" * 21})
    assert problem.status_code == 422


def test_an_answer_names_the_correction_and_a_request_can_turn_corrections_off(client: httpx.Client) -> None:
    answer = found(client, query="blakc shoes", fields=["title", "highlights"])
    assert answer["corrected"] == "black shoes"
    first = answer["results"][0]
    marked = [first["title"][start : start + length] for start, length in first["highlights"]["title"]]
    assert marked == ["black", "shoes"]
    assert found(client, query="black shoes")["corrected"] is None
    assert found(client, query="blakc", correct=False)["results"] == []


def test_a_search_has_a_language_of_its_own(client: httpx.Client) -> None:
    # With the language English, "shoes" in a query becomes "shoe", as it did in the titles. The language simple leaves
    # words unchanged.
    body = {"correct": False, "facets": ["color"]}
    assert found(client, query="shoes", language="simple", **body)["results"] == []
    for language in (None, "en", "en-GB", "English"):
        assert found(client, query="shoes", language=language, **body)["results"]
    assert found(client, query="shoe", language="simple", correct=False)["results"]
    for path in ("/search", "/search/text"):
        answer = client.post(path, json={**WORDS, "query": "shoes", "correct": False, "language": "simple"})
        assert answer.json()["results"] == []
    counted = {"query": "-shoes", "fields": ["color"]}
    [all_products, fewer] = [
        sum(value["products"] for value in answer.json()["facets"][0]["values"])
        for answer in (client.post("/v1/facets", json={**counted, "language": name}) for name in ("simple", "en"))
    ]
    assert all_products > fewer
    cursor = found(client, query="shoe", language="simple", top_k=1)["next"]
    problem = client.post("/v1/search", json={**WORDS, "query": "shoe", "top_k": 1, "page": cursor})
    assert "the cursor belongs to another search" in problem.json()["detail"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"query": "shoes", "language": "klingon"}, "there is no language 'klingon'"),
        ({"query": "shoes", "language": "de'; select 1 --"}, "language"),
        ({"query": "shoes", "language": ""}, "language"),
        ({"language": "de"}, "language needs a query, an image or inputs."),
    ],
)
def test_a_wrong_language_is_refused(client: httpx.Client, body: dict[str, str], message: str) -> None:
    answer = client.post("/v1/search", json=body)
    assert (answer.status_code, message in answer.text) == (422, True)


def test_an_answer_has_the_redirect_and_the_banner_of_rules(serve: Serve, own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(
            text(
                "insert into shop.rule (name, condition, action, status) values "
                """('to', '{"query": "shoes"}', '{"redirect": "https://shop.example/shoes"}', 'live'), """
                """('say', '{"contains": "shoes"}', '{"banner": "Free delivery"}', 'live')"""
            )
        )
    nothing = {"brand": "none"}
    with serve(own_database) as client:
        for body in ({"query": "shoes"}, {"query": "shoes", "filter": nothing}):
            for path in ("/v1/search", "/search"):
                answer = client.post(path, json={**WORDS, **body}).raise_for_status().json()
                assert (answer["redirect"], answer["banner"]) == ("https://shop.example/shoes", "Free delivery")
        for body in ({**WORDS, "query": "black shoes", "rules": "off"}, {**WORDS, "query": "bag"}, {"top_k": 1}):
            answer = client.post("/v1/search", json=body).raise_for_status().json()
            assert (answer["redirect"], answer["banner"]) == (None, None)
        assert found(client, query="black shoes")["redirect"] is None
        said = found(client, query="black shoes")
        assert (said["banner"], said["results"][0]["why"]["rules"]) == ("Free delivery", ["say"])
        assert call(address_of(client), "search", {"query": "black shoes"})["banner"] == "Free delivery"


def test_the_page_names_the_correction_and_offers_the_typed_query(client: httpx.Client) -> None:
    page = client.get("/", params={"q": "blakc shoes"}).text
    assert "Results for <strong>black shoes</strong>" in page
    assert "correct=no" in page
    assert "Results for <strong>" not in client.get("/", params={"q": "blakc shoes", "correct": "no"}).text


Keyed = tuple[httpx.Client, dict[str, dict[str, str]]]  # a client and the header of each key


@pytest.fixture
def keyed(own_database: Database, serve: Serve) -> Iterator[Keyed]:
    limits: dict[str, Any] = {"other": {"catalogs": ["other"]}}
    with own_database.connect(None) as conn, conn.begin():
        keys = {
            name: {"Authorization": f"Bearer {api_keys.create(conn, name, [scope], **limits.get(name, {}))}"}
            for name, scope in (("search", "search"), ("write", "write"), ("admin", "admin"), ("other", "admin"))
        }
    with serve(own_database, api_keys="on") as client:
        yield client, keys


def test_synonyms_are_added_and_listed_and_deleted_with_an_admin_key(keyed: Keyed) -> None:
    client, keys = keyed
    admin = keys["admin"]

    def skus(query: str) -> list[str]:
        body = {**WORDS, "query": query, "correct": False}
        return [one["sku"] for one in client.post("/v1/search", json=body, headers=admin).json()["results"]]

    assert skus("sneakers") == []
    added = client.post("/v1/synonyms", json={"terms": ["shoes", "sneakers"]}, headers=admin)
    assert added.status_code == 200, added.text
    synonym = added.json()
    assert synonym == {**synonym, "terms": ["shoes", "sneakers"], "from_term": None, "catalog": None, "language": None}
    assert set(skus("sneakers")) == set(skus("shoes")) != set()
    again = client.post("/v1/synonyms", json={"terms": ["sneakers", "shoes"]}, headers=admin).json()
    assert again["synonym_id"] == synonym["synonym_id"]
    assert client.get("/v1/synonyms", headers=admin).json() == {"synonyms": [synonym], "next": None}
    address = f"/v1/synonyms/{synonym['synonym_id']}"
    assert client.delete(address, headers=admin).status_code == 204
    assert client.delete(address, headers=admin).status_code == 404
    assert skus("sneakers") == []


def test_faulty_synonyms_and_keys_that_may_not_change_synonyms_are_refused(keyed: Keyed) -> None:
    client, keys = keyed
    for body in ({"terms": ["shoes"]}, {"terms": ["shoes", "x"]}, {"terms": ["a b c d e f", "shoes"]}, {"terms": []}):
        assert client.post("/v1/synonyms", json=body, headers=keys["admin"]).status_code == 422, body
    good = {"terms": ["shoes", "sneakers"]}
    for name in ("search", "write"):
        assert client.post("/v1/synonyms", json=good, headers=keys[name]).status_code == 403
        assert client.get("/v1/synonyms", headers=keys[name]).status_code == 403
    for body in (good, {**good, "catalog": "main"}):
        assert client.post("/v1/synonyms", json=body, headers=keys["other"]).status_code == 403
    synonym = client.post("/v1/synonyms", json=good, headers=keys["admin"]).json()
    address = f"/v1/synonyms/{synonym['synonym_id']}"
    assert client.delete(address, headers=keys["other"]).status_code == 403
    assert client.delete(address, headers=keys["admin"]).status_code == 204
    synonym = client.post("/v1/synonyms", json={**good, "catalog": "main"}, headers=keys["admin"]).json()
    address = f"/v1/synonyms/{synonym['synonym_id']}"
    assert client.delete(address, headers=keys["other"]).status_code == 404
    assert client.delete(address, headers=keys["admin"]).status_code == 204
