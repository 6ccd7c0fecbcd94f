"""Sends a tool's request to the REST application in this process, so access, limits and errors are those of REST."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import msgspec
from litestar.types import ASGIApp, HTTPDisconnectEvent, HTTPReceiveMessage, HTTPScope, Message

from web.http.problems import Problem
from web.mcp.tools import RestRequest

_JSON = (b"content-type", b"application/json")


class RestRefused(Exception):
    """REST answers the request with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.title)
        self.problem = problem


async def _never() -> None:
    await asyncio.get_running_loop().create_future()


async def ask(
    app: ASGIApp, base: Mapping[str, Any], request: RestRequest, disconnect: Callable[[], Awaitable[Any]] = _never
) -> Any:
    """Returns the decoded answer. Raises RestRefused if the answer is a problem.

    `base` has the parts of the ASGI scope that do not depend on the tool's request. `disconnect` returns when the
    client has closed its connection.
    """
    body = b"" if request.body is None else msgspec.json.encode(request.body)
    unread, status, parts = [body], 500, bytearray()

    async def receive() -> HTTPReceiveMessage:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        await disconnect()
        return HTTPDisconnectEvent(type="http.disconnect")

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            parts.extend(message["body"])

    scope = {
        **base,
        "type": "http",
        "method": request.method,
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": request.query_string,
        "headers": [*base["headers"], *([_JSON] if request.method == "POST" else [])],
    }
    await app(cast(HTTPScope, scope), receive, send)
    if status >= 400:
        raise RestRefused(msgspec.json.decode(parts, type=Problem))
    return msgspec.json.decode(parts)
