"""A key reads and writes only its catalogs, and reads only products that meet its filter."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from db import api_keys
from db.catalog.product import Product
from db.catalog.store import staging, upsert
from db.engine import Database
from db.errors import StatementRefused
from db.roles import Role
from tests.support.web_service import SETTINGS, Serve, served

BAGS: dict[str, Any] = {"product_type": "bags"}  # the filter of a key; "sku 2" is a bag, "sku 1" is a pair of shoes


def key(database: Database, name: str, *scopes: str, **limits: Any) -> dict[str, str]:
    """Create a key and return its header."""
    with database.connect(None) as conn, conn.begin():
        return {"Authorization": f"Bearer {api_keys.create(conn, name, scopes, **limits)}"}


def new_product(database: Database, sku: str, catalog: str) -> None:
    with database.connect(Role.APP) as conn, conn.begin():
        with staging(conn) as stage:
            stage(Product(sku, f"hidden bag {sku}", brand="Secret", product_type="bags"))
        upsert(conn, catalog=catalog)


REQUESTS_OF_A_CATALOG: list[tuple[str, str, Any]] = [
    ("POST", "/search/text", {"query": "bag", "catalog": "other"}),
    ("POST", "/search", {"inputs": [{"sku": "x"}], "catalog": "other"}),
    ("POST", "/facets", {"catalog": "other"}),
    ("POST", "/events", {"events": [{"kind": "search"}, {"kind": "search", "catalog": "other"}]}),
    ("GET", "/products/x?catalog=other", None),
    ("GET", "/products/x/similar?catalog=other", None),
    ("GET", "/products/x?catalog=nowhere", None),
    ("DELETE", "/products/x?catalog=other", None),
    ("PUT", "/products", {"catalog": "other", "products": [{"sku": "y", "title": "y"}]}),
]


def test_a_key_of_one_catalog_is_refused_for_another_and_for_an_unknown_catalog(
    serve: Serve, own_database: Database
) -> None:
    new_product(own_database, "x", "other")
    allowed = key(own_database, "allowed", "admin", catalogs=["main", "other"])
    refused = key(own_database, "refused", "admin", catalogs=["main"])
    with serve(own_database, api_keys="on") as client:
        for method, path, body in REQUESTS_OF_A_CATALOG:
            answer = client.request(method, path, json=body, headers=refused)
            assert (answer.status_code, answer.json()["type"]) == (403, "urn:windowshop:problem:key-scope"), path
            assert "Secret" not in answer.text
            if "nowhere" not in path:
                assert client.request(method, path, json=body, headers=allowed).status_code != 403, path
        assert client.post("/search/text", json={"query": "bag"}, headers=refused).status_code == 200


@pytest.fixture
def filtered(own_database: Database) -> dict[str, str]:
    return key(own_database, "filtered", "search", filter_=BAGS)


@pytest.mark.parametrize("filter_", [None, {"color": "red"}, {"or": [{"color": "red"}, {}]}, {"product_type": "shoes"}])
def test_a_key_with_a_filter_finds_and_counts_only_products_that_meet_the_filter(
    serve: Serve, own_database: Database, filtered: dict[str, str], filter_: Any
) -> None:
    everything = key(own_database, "everything", "search")
    with serve(own_database, api_keys="on") as client:
        asked = {"query": "red", "top_k": 60, "filter": filter_}
        both = BAGS if filter_ is None else {"and": [BAGS, filter_]}
        limited = client.post("/search/text", json=asked, headers=filtered).json()
        same = client.post("/search/text", json={**asked, "filter": both}, headers=everything).json()
        assert [row["sku"] for row in limited["results"]] == [row["sku"] for row in same["results"]]
        assert {row["product_type"] for row in limited["results"]} <= {"bags"}
        assert limited["total"] == same["total"]
        fields = {"fields": ["product_type", "color"], "filter": filter_}
        counted = client.post("/facets", json=fields, headers=filtered).json()
        values = {value["value"] for facet in counted["facets"] for value in facet["values"]}
        # A facet ignores the condition of the request on the facet's field, but not the condition of the key.
        assert "shoes" not in values


def test_a_product_that_does_not_meet_the_filter_of_the_key_is_not_found(
    serve: Serve, own_database: Database, filtered: dict[str, str]
) -> None:
    with serve(own_database, api_keys="on") as client:
        image = client.get("/products/sku 2", headers=filtered).json()["pictures"][0]["url"]
        assert client.get(image, headers=filtered).status_code == 200
        assert client.get("/products/sku 2/similar", headers=filtered).status_code == 200
        assert client.post("/search", json={"inputs": [{"sku": "sku 2"}]}, headers=filtered).status_code == 200
        hidden = client.get("/products/sku 1", headers=key(own_database, "all", "search")).json()["pictures"][0]["url"]
        inputs = {"inputs": [{"text": "bag"}, {"sku": "sku 1"}]}
        for answer in (
            client.get("/products/sku 1", headers=filtered),
            client.get("/products/sku 1/similar", headers=filtered),
            client.post("/search", json=inputs, headers=filtered),
            client.post("/facets", json={**inputs, "cut": "relevant"}, headers=filtered),
            client.get(hidden, headers=filtered),
        ):
            assert (answer.status_code, answer.json()["type"]) == (404, "urn:windowshop:problem:not-found")


def test_an_expired_key_is_refused(serve: Serve, own_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.http.access.CACHE_SECONDS", 0)
    now = datetime.now(UTC)
    lasting = key(own_database, "lasting", "search", expires_at=now + timedelta(days=1))
    with serve(own_database, api_keys="on") as client:
        assert client.get("/products/sku 1", headers=lasting).status_code == 200
        with own_database.connect(None) as conn, conn.begin():
            conn.execute(text("update shop_private.api_key set expires_at = now()"))
        assert client.get("/products/sku 1", headers=lasting).status_code == 401


@pytest.mark.parametrize(
    ("scopes", "limits", "message"),
    [
        (("write",), {"filter_": BAGS}, "api_key_filter_check"),
        (("search",), {"filter_": {"no_such_field": 1}}, "no_such_field"),
        (("search",), {"catalogs": []}, "api_key_catalogs_check"),
    ],
)
def test_a_key_with_invalid_limits_is_refused(
    own_database: Database, scopes: tuple[str, ...], limits: dict[str, Any], message: str
) -> None:
    with pytest.raises(StatementRefused, match=message):
        key(own_database, "invalid", *scopes, **limits)


def test_without_a_key_only_pages_and_images_of_public_catalogs_are_shown(
    own_database: Database,
) -> None:
    new_product(own_database, "x", "other")
    headers = key(own_database, "any", "search")

    def statuses(client: httpx.Client, *paths: str) -> list[int]:
        return [client.get(path).status_code for path in paths]

    settings = SETTINGS.model_copy(update={"api_keys": "on", "public_catalogs": ["other"]})
    with served(own_database, settings) as client:
        image = client.get("/products/sku 7", headers=headers).json()["pictures"][0]["url"]
        assert statuses(client, "/", "/?catalog=other", "/?catalog=main", "/?catalog=nowhere") == [200, 200, 404, 404]
        assert "hidden bag x" in client.get("/").text
        assert "number7" not in client.get("/?catalog=main&like=sku+7").text
        assert client.get(image).status_code == 404
        assert "private" in client.get(image, headers=headers).headers["cache-control"]
    for public, expected, warnings in ((["*"], 200, 0), ([], 404, 1)):
        with (
            capture_logs() as log,
            served(own_database, settings.model_copy(update={"public_catalogs": public})) as client,
        ):
            assert statuses(client, "/", image, "/?catalog=main") == [expected] * 3
        assert sum("WINDOWSHOP_WEB_PUBLIC_CATALOGS" in line["event"] for line in log) == warnings
