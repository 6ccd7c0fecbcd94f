"""No answer names a catalog that the client may not read, not even if the client asks for a missing catalog."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from db.engine import Database
from tests.support.servers.assistants import ToolFailed, address_of, call, key
from tests.support.web_service import ROUTES, SETTINGS, served

MISSING, ALLOWED = "berlin", "The key allows these catalogs: berlin."
HIDDEN = "main"  # the only catalog of the database
SEARCH: dict[str, Any] = {"catalog": MISSING, "query": "bag"}
FACETS = {"catalog": MISSING, "fields": ["brand"]}
PRODUCT = {"title": "A product"}
RULE = {"catalog": MISSING, "name": "a", "condition": {"always": True}, "action": {"pin": "sku 1", "at": 1}}
BODIES: dict[str, dict[str, Any]] = {
    "searchProducts": SEARCH,
    "multiSearch": {"searches": [SEARCH, {"catalog": MISSING}]},
    "search": SEARCH,
    "searchText": SEARCH,
    "searchImage": {"catalog": MISSING, "image": "aW1hZ2U="},
    "countFacets": FACETS,
    "putProducts": {"catalog": MISSING, "products": [{"sku": "a", **PRODUCT}]},
    "patchProduct": PRODUCT,
    "deleteProducts": {"catalog": MISSING, "skus": ["a"]},
    "createRule": RULE,
    "replaceRule": RULE,
    "whatIf": {"changes": [{"products": {"catalog": MISSING, "filter": {}, "price": 1}}]},
    "recordEvents": {"events": [{"kind": "view", "sku": "a", "catalog": MISSING}]},
}
TOOLS: dict[str, dict[str, Any]] = {
    "search": {"query": "bag"},
    "similar": {"sku": "sku 1"},
    "product": {"sku": "sku 1"},
    "facets": {},
}


@pytest.fixture(scope="module")
def limited(shop_database: Database) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    settings = SETTINGS.model_copy(update={"api_keys": "on", "public_catalogs": [MISSING]})
    with served(shop_database, settings) as client:
        yield client, key(shop_database, catalogs=[MISSING], scopes=["admin"])


@pytest.mark.parametrize(("path", "route"), ROUTES, ids=[f"{route.operation_id}" for _, route in ROUTES])
def test_no_route_names_a_catalog_that_the_key_does_not_allow(
    limited: tuple[httpx.Client, dict[str, str]], path: str, route: Any
) -> None:
    client, headers = limited
    method, body = min(route.http_methods - {"HEAD"}), BODIES.get(str(route.operation_id))
    path = path.replace("{sku:str}", "a").replace("{catalog:str}", MISSING)
    path = path.replace("{synonym_id:int}", "1").replace("{rule_id:int}", "1")
    query = {} if body is not None and "patch" not in str(route.operation_id) else {"catalog": MISSING}
    form = {"files": {"image": b"image"}, "data": {"catalog": MISSING}} if path.endswith("/file") else {"json": body}
    answer = client.request(method, path, params=query, headers=headers, **form)
    assert HIDDEN not in answer.text and "sample" not in answer.text
    if "there is no catalog" in answer.text and '"hint"' in answer.text:
        assert ALLOWED in answer.text
    assert "catalogs are" not in answer.text


def test_searches_of_a_missing_catalog_are_not_found(limited: tuple[httpx.Client, dict[str, str]]) -> None:
    client, headers = limited
    for path, body in (("/v1/search", SEARCH), ("/v1/search", {"catalog": MISSING}), ("/v1/facets", FACETS)):
        answer = client.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["hint"]) == (404, ALLOWED), path
    similar = client.get("/v1/products/a/similar", params={"catalog": MISSING}, headers=headers)
    assert similar.status_code == 404
    [one, _] = client.post("/v1/multi-search", json=BODIES["multiSearch"], headers=headers).json()["answers"]
    assert one["problem"]["hint"] == ALLOWED


@pytest.mark.parametrize("tool", TOOLS)
def test_no_tool_names_a_catalog_that_the_key_does_not_allow(
    limited: tuple[httpx.Client, dict[str, str]], tool: str
) -> None:
    client, headers = limited
    with pytest.raises(ToolFailed) as failed:
        call(address_of(client), tool, {**TOOLS[tool], "catalog": MISSING}, headers)
    assert HIDDEN not in str(failed.value) + str(failed.value.problem)


def test_the_page_names_no_hidden_catalog(limited: tuple[httpx.Client, dict[str, str]]) -> None:
    client, _ = limited
    answer = client.get("/", params={"catalog": MISSING, "q": "bag"}, headers={"HX-Request": "true"})
    assert answer.status_code == 404
    assert "catalogs are" not in answer.text


def test_a_client_that_may_read_all_catalogs_learns_their_names(client: httpx.Client) -> None:
    answer = client.post("/v1/search", json=SEARCH)
    assert (answer.status_code, answer.json()["hint"]) == (404, f"The catalogs are: {HIDDEN}")
