"""Calls MCP tools with the official Python client."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any, Literal, TypeVar

import httpx
import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from db import api_keys
from db.engine import Database

Result = TypeVar("Result")
Mode = Literal["auto", "legacy"]


def address_of(client: httpx.Client) -> str:
    return str(client.base_url).rstrip("/")


def key(database: Database, *, scopes: Sequence[str] = ("search",), **limits: Any) -> dict[str, str]:
    """Create an API key and return the header of a request with this key."""
    with database.connect(None) as conn, conn.begin():
        return {"Authorization": f"Bearer {api_keys.create(conn, token_hex(8), scopes, **limits)}"}


@asynccontextmanager
async def _over_http(url: str, headers: Mapping[str, str] | None) -> Any:
    async with (
        httpx2.AsyncClient(headers=dict(headers or {}), timeout=60) as http,
        streamable_http_client(url, http_client=http) as streams,
    ):
        yield streams


def with_client(
    server: str | StdioServerParameters,
    use: Callable[[Client], Awaitable[Result]],
    headers: Mapping[str, str] | None = None,
    mode: Mode = "auto",
) -> Result:
    """Connect to an address, or start a process, and return what `use` returns for the connected client."""
    transport: Any = _over_http(server, headers) if isinstance(server, str) else server

    async def run() -> Result:
        async with Client(transport, mode=mode) as client:
            return await use(client)

    return asyncio.run(run())


def call(address: str, tool: str, arguments: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Any:
    """Call a tool of the service at `address` and return its structured answer. Raises ToolFailed for a tool error."""

    async def use(client: Client) -> CallToolResult:
        return await client.call_tool(tool, dict(arguments))

    result = with_client(f"{address}/mcp", use, headers)
    if result.is_error:
        raise ToolFailed(result)
    return result.structured_content


class ToolFailed(Exception):
    def __init__(self, result: CallToolResult) -> None:
        self.problem: dict[str, Any] = result.structured_content
        self.text: str = result.content[0].text  # type: ignore[union-attr]
        super().__init__(self.text)
