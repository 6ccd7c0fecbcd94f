"""The tools at /mcp answer like REST, and a failed call says what is wrong."""

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, MCPError

from db.engine import Database
from tests.support.servers.assistants import Mode, ToolFailed, address_of, call, with_client
from tests.support.web_service import Serve, cache
from web.http.wording import for_assistants


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_lists_the_tools_with_a_schema_and_a_description(client: httpx.Client, mode: Mode) -> None:
    tools = with_client(f"{address_of(client)}/mcp", lambda mcp: mcp.list_tools(), mode=mode).tools
    assert [tool.name for tool in tools] == ["search", "similar", "product", "facets", "explain"]
    for tool in tools:
        assert tool.description and tool.annotations and tool.annotations.read_only_hint
        assert tool.input_schema["additionalProperties"] is False
        assert "$ref" not in str(tool.input_schema)
    filter_ = tools[0].input_schema["properties"]["filter"]
    assert (
        filter_["type"] == "object" and len(filter_["examples"]) == 2 and "attributes.<key>" in filter_["description"]
    )


def test_the_tools_accept_the_examples_and_the_fields_that_describe_a_filter(client: httpx.Client) -> None:
    tools = with_client(f"{address_of(client)}/mcp", lambda mcp: mcp.list_tools()).tools
    filter_ = tools[0].input_schema["properties"]["filter"]
    for example in filter_["examples"]:
        assert "results" in call(address_of(client), "search", {"query": "bag", "filter": example})
    written = filter_["description"].split("Fields: ")[1].split(";")[0]
    for name in written.replace(" (the price today)", "").split(", "):
        assert "facets" in call(address_of(client), "facets", {"fields": ["brand"], "filter": {name: {"exists": True}}})


def test_the_tool_search_finds_what_rest_finds_and_omits_empty_members(client: httpx.Client) -> None:
    rest = client.post("/search/text", json={"query": "black leather backpack", "top_k": 5}).json()
    found = call(address_of(client), "search", {"query": "black leather backpack"})
    assert [one["sku"] for one in found["results"]] == [one["sku"] for one in rest["results"]]
    assert found["total"] == rest["total"]
    first = found["results"][0]
    assert first["image"] == address_of(client) + rest["results"][0]["picture"]["url"]
    assert client.get(first["image"]).status_code == 200
    assert None not in first.values() and "why" not in first


def test_the_cursor_leads_through_all_pages(client: httpx.Client) -> None:
    asked: dict[str, Any] = {"query": "bag", "limit": 25, "filter": {"product_type": "bags"}}
    skus, pages = [], 0
    while True:
        found = call(address_of(client), "search", asked)
        skus += [one["sku"] for one in found["results"]]
        pages += 1
        if "cursor" not in found:
            break
        asked["cursor"] = found["cursor"]
    assert (pages, len(skus), len(set(skus))) == (2, 30, 30)


def test_the_products_that_pass_the_filter_are_listed_without_a_query(client: httpx.Client) -> None:
    asked: dict[str, Any] = {"filter": {"color": "red"}, "limit": 3}
    listed = call(address_of(client), "search", asked)
    rest = client.post("/v1/search", json={"filter": {"color": "red"}, "top_k": 3}).json()
    assert [one["sku"] for one in listed["results"]] == [one["sku"] for one in rest["results"]]
    assert (listed["total"], listed["total_is"], "similarity" in listed["results"][0]) == (20, "exact", False)
    following = call(address_of(client), "search", asked | {"cursor": listed["cursor"]})
    assert not {one["sku"] for one in following["results"]} & {one["sku"] for one in listed["results"]}


def test_the_tool_search_takes_an_image_and_a_product(
    client: httpx.Client, shop_database: Database, image_folder: Path
) -> None:
    image = (image_folder / "7.png").read_bytes()
    with shop_database.connect(None) as conn, conn.begin():
        cache(conn, b"i", image, None, 40)
    by_image = call(address_of(client), "search", {"image": base64.b64encode(image).decode()})
    rest = client.post("/search/image", json={"image": base64.b64encode(image).decode(), "top_k": 5}).json()
    assert [one["sku"] for one in by_image["results"]] == [one["sku"] for one in rest["results"]]
    by_product = call(address_of(client), "search", {"sku": "sku 3", "query": "red", "limit": 1})
    assert len(by_product["results"]) == 1


def test_the_tool_similar_finds_what_rest_finds_and_three_other_tools_answer(client: httpx.Client) -> None:
    address = address_of(client)
    similar = call(address, "similar", {"sku": "sku 3", "limit": 4, "filter": {"color": "red"}})
    rest = client.get("/products/sku 3/similar", params={"top_k": 4, "filter": '{"color": "red"}'}).json()
    assert [one["sku"] for one in similar["results"]] == [one["sku"] for one in rest["results"]]
    product = call(address, "product", {"sku": "sku 3"})
    assert (product["price"], product["attributes"]) == (4.5, {"strap_cm": 3})
    assert client.get(product["images"][0]).status_code == 200
    facets = call(address, "facets", {"fields": ["color"]})["facets"]
    assert {value["value"]: value["products"] for value in facets[0]["values"]} == {"red": 20, "black": 20, "brown": 20}
    explained = call(address, "explain", {"query": "bag"})
    assert len(explained["results"]) == 5 and {"step", "ms"} <= explained["steps"][0].keys() | {"ms"}


def test_a_product_with_a_slash_in_its_sku_is_read(serve: Serve, own_database: Database) -> None:
    with serve(own_database) as client:
        client.put("/products", json={"products": [{"sku": "a/b c", "title": "Slash"}]}).raise_for_status()
        assert call(address_of(client), "product", {"sku": "a/b c"})["title"] == "Slash"


def test_an_image_has_the_path_prefix_of_the_service(serve: Serve) -> None:
    with serve(root_path="/shop") as client:
        found = call(f"{address_of(client)}/shop", "search", {"query": "bag", "limit": 1})
        assert found["results"][0]["image"].startswith(f"{address_of(client)}/shop/images/")


@pytest.mark.parametrize(
    ("tool", "arguments", "method", "path", "body"),
    [
        ("product", {"sku": "none"}, "GET", "/v1/products/none", None),
        ("search", {"query": " "}, "POST", "/v1/search", {"query": " "}),
        ("explain", {}, "POST", "/v1/search", {"explain": True}),
        ("search", {"query": "bag", "filter": {"x": 1}}, "POST", "/v1/search", {"query": "bag", "filter": {"x": 1}}),
        ("search", {"query": "bag", "cursor": "no"}, "POST", "/v1/search", {"query": "bag", "page": "no"}),
        ("search", {"query": "a new text", "sku": "none"}, "POST", "/v1/search",
         {"query": "a new text", "inputs": [{"sku": "none"}]}),
    ],
)  # fmt: skip
def test_a_failed_call_is_a_tool_error_with_the_texts_of_the_problem(
    client: httpx.Client, tool: str, arguments: dict[str, Any], method: str, path: str, body: Any
) -> None:
    problem = client.request(method, path, json=body).json()
    problem |= {name: for_assistants(problem[name]) for name in ("detail", "hint") if name in problem}
    with pytest.raises(ToolFailed) as failed:
        call(address_of(client), tool, arguments)
    shown = {name: failed.value.problem.get(name) for name in ("type", "title", "status", "detail", "hint")}
    assert shown == {name: problem.get(name) for name in shown}
    assert all(
        problem[name].rstrip(".") in failed.value.text for name in ("title", "detail", "hint") if name in problem
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"query": "bag", "limit": 51}, "Expected `int` <= 50 - at `$.limit`"),
        ({"query": "bag", "limit": "5"}, "Expected `int`, got `str` - at `$.limit`"),
        ({"query": "bag", "colour": "red"}, "Object contains unknown field `colour`"),
        ({"query": "bag", "filter": "red"}, "Expected `object | null`, got `str` - at `$.filter`"),
        ({"query": "bag", "cut": "all"}, "Invalid enum value 'all' - at `$.cut`"),
    ],
)
def test_a_wrong_argument_is_named(client: httpx.Client, arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ToolFailed) as failed:
        call(address_of(client), "search", arguments)
    assert (failed.value.problem["type"], failed.value.problem["detail"]) == ("urn:windowshop:problem:invalid", reason)


def test_an_unknown_tool_is_refused(client: httpx.Client) -> None:
    async def use(mcp: Client) -> str:
        with pytest.raises(MCPError) as refused:
            await mcp.call_tool("delete", {})
        return refused.value.message

    tools = "search, similar, product, facets, explain"
    assert with_client(f"{address_of(client)}/mcp", use) == f"There is no tool delete. The tools: {tools}."


def test_for_the_tool_search_null_is_the_same_as_an_absent_argument(client: httpx.Client) -> None:
    with_nulls = {"query": "bag", "image": None, "sku": None, "filter": None, "cut": None, "cursor": None}
    assert call(address_of(client), "search", with_nulls) == call(address_of(client), "search", {"query": "bag"})
