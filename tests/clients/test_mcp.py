"""The official MCP clients for Python and TypeScript list the tools and call two of them, over HTTP and over stdio."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters

from db.engine import Database
from db.roles import Role
from tests.support.servers.assistants import Mode, address_of, key, with_client
from tests.support.shop import Shop
from tests.support.web_service import SETTINGS, served

pytestmark = pytest.mark.clients

TOOLS = os.environ.get("WINDOWSHOP_CLIENT_TOOLS")  # read at import, before tests/conftest.py removes the variable
SKUS = ("bag a", "bag b", "bag c")
# Connects over the transport that the arguments describe, and prints what it gets, as JSON.
PROGRAM = """
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const { url, headers, command, args, env } = JSON.parse(process.argv[2]);
const transport = url
  ? new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
  : new StdioClientTransport({ command, args, env });
const client = new Client({ name: "test", version: "1" });
await client.connect(transport);
const { tools } = await client.listTools();
const call = (name, values) => client.callTool({ name, arguments: values });
const first = await call("search", { query: "bag", limit: 2, filter: { sku: { prefix: "bag" } } });
const cursor = first.structuredContent.cursor;
const second = await call("search", { query: "bag", limit: 2, filter: { sku: { prefix: "bag" } }, cursor });
const missing = await call("product", { sku: "none" });
console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), first, second, missing }));
await client.close();
"""


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    shop.add(*SKUS)
    shop.encode_all()
    shop.cache("bag")
    return shop


@pytest.fixture
def keyed(stocked: Shop) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    """Yields a client of a service that needs a key, and a header with a key."""
    with served(stocked.database, SETTINGS.model_copy(update={"api_keys": "on"})) as client:
        yield client, key(stocked.database)


@pytest.fixture
def process(stocked: Shop, environment: Callable[[Database, Role | None], dict[str, str]]) -> StdioServerParameters:
    """Returns the command `windowshop mcp` with a key."""
    header = key(stocked.database, catalogs=["main"])["Authorization"]
    variables = environment(stocked.database, Role.WEB_READER)
    variables["WINDOWSHOP_WEB_MCP_KEY"] = header.removeprefix("Bearer ")
    return StdioServerParameters(command=sys.executable, args=["-m", "windowshop", "mcp"], env=variables)


def check(found: dict[str, Any]) -> None:
    assert found["tools"] == ["search", "similar", "product", "facets", "explain"]
    pages = [found[name]["structuredContent"] for name in ("first", "second")]
    assert sorted(one["sku"] for page in pages for one in page["results"]) == list(SKUS)
    assert "cursor" not in pages[1]
    assert json.loads(found["first"]["content"][0]["text"]) == pages[0]
    assert found["missing"]["isError"] is True
    assert "There is no such product" in found["missing"]["content"][0]["text"]


async def use(client: Client) -> dict[str, Any]:
    asked: dict[str, Any] = {"query": "bag", "limit": 2, "filter": {"sku": {"prefix": "bag"}}}
    tools = [tool.name for tool in (await client.list_tools()).tools]
    first = await client.call_tool("search", asked)
    second = await client.call_tool("search", asked | {"cursor": first.structured_content["cursor"]})
    missing = await client.call_tool("product", {"sku": "none"})
    answers = {"first": first, "second": second, "missing": missing}
    return {"tools": tools} | {name: one.model_dump(by_alias=True, mode="json") for name, one in answers.items()}


def typescript(folder: Path, transport: dict[str, Any]) -> dict[str, Any]:
    node = shutil.which("node")
    packages = TOOLS and Path(TOOLS).resolve().parent
    if node is None or not packages or not (packages / "@modelcontextprotocol").is_dir():
        pytest.skip("node or the TypeScript client is missing; make clients installs the client")
    (folder / "node_modules").symlink_to(packages)
    (folder / "program.mjs").write_text(PROGRAM)
    done = subprocess.run(
        [node, "program.mjs", json.dumps(transport)], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_python_client_lists_and_calls_tools_over_http(
    keyed: tuple[httpx.Client, dict[str, str]], mode: Mode
) -> None:
    client, header = keyed
    check(with_client(f"{address_of(client)}/mcp", use, header, mode))


def test_the_python_client_lists_and_calls_tools_over_stdio(process: StdioServerParameters) -> None:
    check(with_client(process, use))


def test_the_typescript_client_lists_and_calls_tools_over_http(
    keyed: tuple[httpx.Client, dict[str, str]], tmp_path: Path
) -> None:
    client, header = keyed
    check(typescript(tmp_path, {"url": f"{address_of(client)}/mcp", "headers": header}))


def test_the_typescript_client_lists_and_calls_tools_over_stdio(process: StdioServerParameters, tmp_path: Path) -> None:
    check(typescript(tmp_path, {"command": process.command, "args": process.args, "env": process.env}))


def test_a_wrong_key_ends_the_command_with_a_clear_error(
    stocked: Shop, environment: Callable[[Database, Role | None], dict[str, str]]
) -> None:
    variables = environment(stocked.database, Role.WEB_READER) | {"WINDOWSHOP_WEB_MCP_KEY": "ws_none"}
    done = subprocess.run(
        [sys.executable, "-m", "windowshop", "mcp"], env=variables, input="", capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0 and done.stdout == ""
    assert "WINDOWSHOP_WEB_MCP_KEY: this API key is unknown, revoked or expired" in done.stderr
