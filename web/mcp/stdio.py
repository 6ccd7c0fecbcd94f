"""Serves the tools on stdin and stdout of this process, to the assistant that started it."""

from typing import Any

import anyio
from mcp.server import ServerRequestContext
from mcp.server.stdio import stdio_server

from db.engine import Database
from web.app import make_app
from web.http.metrics import Metrics
from web.mcp.budgets import Budgets
from web.mcp.rest import ask
from web.mcp.server import make_server
from web.mcp.tools import Tool
from web.settings import WebSettings


def serve(database: Database, settings: WebSettings) -> None:
    """Serve until stdin ends. With `settings.mcp_key`, the limits of this key hold. Without a key, the assistant can
    read all products that the database login may read."""
    keys, headers = "off", []
    if settings.mcp_key is not None:
        keys, headers = "on", [(b"authorization", f"Bearer {settings.mcp_key.get_secret_value()}".encode())]
    changes = {"api_keys": keys, "allowed_hosts": [], "root_path": "", "public_page": False, "mcp": "off"}
    anyio.run(_serve, database, settings.model_copy(update=changes), headers)


async def _serve(database: Database, settings: WebSettings, headers: list[tuple[bytes, bytes]]) -> None:
    app, budgets = make_app(database, settings, Metrics()), Budgets(settings)

    async def run(context: ServerRequestContext[Any, Any], tool: Tool) -> dict[str, Any]:
        asked = tool.request()  # a call that is refused here is not counted
        await budgets.spend("stdio", tool.rows)
        base = {
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "scheme": "http",
            "server": None,
            "client": ("127.0.0.1", 0),
            "root_path": "",
            "headers": headers,
            "state": {},
        }
        return tool.shortened(await ask(app, base, asked), None)

    server = make_server(run)
    async with app.running(), stdio_server() as (received, answers):
        await server.run(received, answers, server.create_initialization_options())
