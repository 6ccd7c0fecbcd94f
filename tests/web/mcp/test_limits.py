"""/mcp limits calls by keys, budgets, origins and methods, and refuses faulty messages."""

from typing import Any

import httpx
import pytest

from db.engine import Database
from tests.support.servers.assistants import ToolFailed, address_of, call, key
from tests.support.web_service import Serve
from web.http.problems import ApiError
from web.mcp.server import _read
from web.mcp.tools import SearchTool

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
HEADERS = {"Accept": "application/json, text/event-stream"}
SEARCH = LIST | {"method": "tools/call", "params": {"name": "search", "arguments": {"query": "bag"}}}


def test_a_call_needs_a_key_while_keys_are_on(serve: Serve) -> None:
    with serve(api_keys="on") as client:
        answer = client.post("/mcp", json=LIST, headers=HEADERS)
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:windowshop:problem:key-missing")
        answer = client.post("/mcp", json=LIST, headers=HEADERS | {"Authorization": "Bearer ws_none"})
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_the_catalogs_and_the_filter_of_the_key_apply(serve: Serve, own_database: Database) -> None:
    bags = key(own_database, catalogs=["main"], filter_={"product_type": "bags"})
    with serve(own_database, api_keys="on") as client:
        address = address_of(client)
        assert {one["product_type"] for one in call(address, "search", {"query": "red"}, bags)["results"]} == {"bags"}
        refused: list[tuple[str, dict[str, Any], str]] = [
            ("search", {"query": "red", "catalog": "other"}, "key-scope"),
            ("facets", {"catalog": "other"}, "key-scope"),
            ("product", {"sku": "sku 2", "catalog": "other"}, "key-scope"),
            ("product", {"sku": "sku 1"}, "not-found"),  # a pair of shoes
            ("similar", {"sku": "sku 1"}, "not-found"),
            ("search", {"sku": "sku 1"}, "not-found"),
            ("explain", {"query": "red"}, "key-scope"),
        ]
        for tool, arguments, kind in refused:
            with pytest.raises(ToolFailed) as failed:
                call(address, tool, arguments, bags)
            assert failed.value.problem["type"] == f"urn:windowshop:problem:{kind}", (tool, arguments)
        [facet] = call(address, "facets", {"fields": ["product_type"]}, bags)["facets"]
        assert [value["value"] for value in facet["values"]] == ["bags"]


def test_each_key_has_a_budget_of_calls_and_of_rows(serve: Serve, own_database: Database) -> None:
    one, two = key(own_database), key(own_database)
    with serve(own_database, api_keys="on", mcp_calls_per_hour=2, mcp_rows_per_hour=30) as client:
        address = address_of(client)
        call(address, "search", {"query": "bag", "limit": 20}, one)
        with pytest.raises(ToolFailed) as failed:
            call(address, "search", {"query": "bag", "limit": 20}, one)
        assert failed.value.problem["detail"] == "The budget is 30 rows per hour, and 10 are left."
        call(address, "search", {"query": "bag", "limit": 10}, one)
        with pytest.raises(ToolFailed, match="The budget is 2 calls per hour, and 0 are left") as failed:
            call(address, "product", {"sku": "sku 1"}, one)
        assert failed.value.problem["type"] == "urn:windowshop:problem:rate"
        call(address, "search", {"query": "bag", "limit": 20}, two)
        with pytest.raises(ToolFailed, match="can return 40 rows, and the budget is 30 rows per hour") as failed:
            call(address, "search", {"query": "bag", "limit": 40}, two)
        assert failed.value.problem["type"] == "urn:windowshop:problem:invalid"


def test_a_call_that_the_budget_of_rows_refuses_is_not_counted(serve: Serve) -> None:
    with serve(mcp_calls_per_hour=2, mcp_rows_per_hour=30) as client:
        address = address_of(client)
        call(address, "search", {"query": "bag", "limit": 20})
        for _ in range(3):
            with pytest.raises(ToolFailed, match="30 rows per hour, and 10 are left"):
                call(address, "search", {"query": "bag", "limit": 20})
        call(address, "search", {"query": "bag", "limit": 10})


def test_a_call_with_faulty_arguments_is_not_counted(serve: Serve) -> None:
    with serve(mcp_calls_per_hour=1, mcp_rows_per_hour=30) as client:
        address = address_of(client)
        for _ in range(3):
            with pytest.raises(ToolFailed, match="Give sku or image_url"):
                call(address, "similar", {})
        call(address, "search", {"query": "bag", "limit": 20})


def test_a_request_from_a_page_of_another_origin_is_refused(serve: Serve) -> None:
    with serve(cors_origins=["https://chat.example"]) as client:
        own = address_of(client)
        for origin, status in ((None, 200), (own, 200), ("https://chat.example", 200), ("https://evil.example", 403)):
            headers = HEADERS | ({} if origin is None else {"Origin": origin})
            assert client.post("/mcp", json=LIST, headers=headers).status_code == status, origin
        answer = client.post("/mcp", json=LIST, headers=HEADERS | {"Host": "evil.example"})
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:windowshop:problem:malformed")


def test_methods_other_than_post_and_broken_messages_are_refused(client: httpx.Client) -> None:
    for method in ("GET", "DELETE", "PUT"):
        answer = client.request(method, "/mcp", headers=HEADERS)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST"), method
    assert client.post("/mcp", content=b"{", headers=HEADERS | {"Content-Type": "application/json"}).status_code == 400
    assert client.post("/mcp", content=b"{}", headers=HEADERS | {"Content-Type": "text/plain"}).status_code in (
        400,
        415,
    )
    batch = client.post("/mcp", json=[LIST], headers=HEADERS)
    assert batch.status_code == 400


def test_a_message_above_the_limit_of_a_body_is_refused(serve: Serve) -> None:
    with serve(max_body_bytes=1_000) as client:
        message = LIST | {"params": {"cursor": "x" * 2_000}}
        assert client.post("/mcp", json=message, headers=HEADERS).status_code == 413


def test_a_message_of_more_than_4_000_000_characters_is_refused(client: httpx.Client) -> None:
    message = LIST | {"params": {"cursor": "x" * 4_000_001}}
    assert client.post("/mcp", json=message, headers=HEADERS).status_code == 413


def test_an_internal_error_has_the_id_of_the_request(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: SearchTool) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(SearchTool, "request", broken)
    answer = client.post("/mcp", json=SEARCH, headers=HEADERS | {"X-Request-ID": "own-id"})
    problem = answer.json()["result"]["structuredContent"]
    assert (problem["type"], problem["request_id"]) == ("urn:windowshop:problem:internal", "own-id")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"query": "\ud800"}, "surrogate"),
        ({"query": "bag", "filter": {"color": ["\udfff"]}}, "surrogate"),
        ({"query": "bag", "filter": {"\ud800": 1}}, "surrogate"),
        ({"query": "bag", "filter": {"price": {"lt": float("nan")}}}, "not finite"),
        ({"query": "bag", "filter": {"price": [float("-inf")]}}, "not finite"),
    ],
)
def test_a_text_or_number_that_json_cannot_hold_is_refused(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ApiError, match=reason) as refused:
        _read(SearchTool, arguments)
    assert refused.value.kind == "invalid"


def test_the_service_offers_no_tools_when_they_are_switched_off(serve: Serve) -> None:
    with serve(mcp="off") as client:
        assert client.post("/mcp", json=LIST, headers=HEADERS).status_code == 404
