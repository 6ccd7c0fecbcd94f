"""Watches are created, listed and deleted within the catalogs of a key, and their matches are read with a cursor."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db import api_keys
from db.engine import Database
from tests.support.web_service import SETTINGS, Serve, served

WATCH = {"name": "w", "filter": {"sku": {"in": ["n1", "n2", "n3"]}}}


@pytest.fixture
def client(serve: Serve, own_database: Database) -> Iterator[httpx.Client]:
    with serve(own_database) as client:
        yield client


def find(database: Database, *skus: str) -> None:
    """Store matches of the watch w, as the encoder does."""
    with database.connect(None) as conn, conn.begin():
        for sku in skus:
            conn.execute(
                text(
                    "with p as (insert into shop.product (product_id, sku, title) values "
                    "(shop.product_id(:sku, 'main'), :sku, 'a title') returning product_id) "
                    "insert into shop.watch_match (product_id, watch_id) select p.product_id, w.watch_id "
                    "from p, shop.watch w where w.name = 'w'"
                ),
                {"sku": sku},
            )


def test_a_watch_is_created_listed_read_with_a_cursor_and_deleted(client: httpx.Client, own_database: Database) -> None:
    created = client.post("/v1/watches", json=WATCH)
    assert created.status_code == 201, created.text
    assert created.json()["filter"] == WATCH["filter"]
    assert client.get("/v1/watches").json() == {"watches": [created.json()]}
    assert client.get("/v1/watches", params={"catalog": "other"}).json() == {"watches": []}
    assert client.get("/v1/watches/w/matches").json() == {"matches": [], "next": 0}
    find(own_database, "n1", "n2")
    first = client.get("/v1/watches/w/matches", params={"limit": 1}).json()
    rest = client.get("/v1/watches/w/matches", params={"after": first["next"]}).json()
    assert [one["sku"] for one in first["matches"] + rest["matches"]] == ["n1", "n2"]
    assert client.get("/v1/watches/w/matches", params={"after": rest["next"]}).json()["next"] == rest["next"]
    assert client.delete("/v1/watches/w").status_code == 204
    assert client.delete("/v1/watches/w").status_code == 404
    assert client.get("/v1/watches/w/matches").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"name": "w"}, 422, "nothing to watch for"),
        ({"name": "-", "filter": {"sku": "a"}}, 422, "$.name"),
        ({"name": "w", "filter": {"nonsense": 1}}, 422, "nonsense"),
        ({"name": "w", "query": "bag", "catalog": "nowhere"}, 404, "there is no catalog"),
        ({"name": "w", "query": "bag", "min_similarity": 2}, 422, "$.min_similarity"),
        ({"name": "taken", "filter": {"sku": "a"}}, 422, "has a watch 'taken' already"),
    ],
)
def test_a_watch_that_cannot_work_gets_one_problem(
    client: httpx.Client, body: dict[str, Any], status: int, detail: str
) -> None:
    client.post("/v1/watches", json={"name": "taken", "filter": {"sku": "a"}}).raise_for_status()
    answer = client.post("/v1/watches", json=body)
    assert (answer.status_code, detail in answer.json()["detail"]) == (status, True), answer.text


def test_a_text_is_watched_with_the_vector_of_the_serving_model(client: httpx.Client, own_database: Database) -> None:
    created = client.post("/v1/watches", json={"name": "bags", "query": "bag"})
    assert created.status_code == 201, created.text
    with own_database.connect(None) as conn:
        assert conn.scalar(text("select image_floor is not null and title_floor is not null "
                                "from shop_private.watch_vector"))  # fmt: skip


def test_a_key_watches_its_catalogs_only(own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        limited = api_keys.create(conn, "limited", ["write"], catalogs=["main"])
        searches = api_keys.create(conn, "searches", ["search"])
    routes = (("POST", ""), ("GET", ""), ("GET", "/w/matches"), ("DELETE", "/w"))
    with served(own_database, SETTINGS.model_copy(update={"api_keys": "on"})) as client:
        client.headers["Authorization"] = f"Bearer {limited}"
        assert client.post("/v1/watches", json=WATCH).status_code == 201
        for method, path in routes:
            other = {"json": {**WATCH, "catalog": "other"}} if method == "POST" else {"params": {"catalog": "other"}}
            answer = client.request(method, f"/v1/watches{path}", **other)  # type: ignore[arg-type]
            assert answer.status_code == 403, (method, path)
        client.headers["Authorization"] = f"Bearer {searches}"
        for method, path in routes:
            assert client.request(method, f"/v1/watches{path}", json=WATCH).status_code == 403, (method, path)
