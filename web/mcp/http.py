"""Serves the tools at /mcp, over streamable HTTP without sessions, so that any web process can answer any message."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
from litestar import Litestar, asgi
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers import ASGIRouteHandler
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send
from mcp.server import ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request

from web.http.access import client_of
from web.http.addresses import address, set_path
from web.http.arriving import Arriving, check_encoding
from web.http.context import context_of
from web.http.problems import ApiError, ClientGone
from web.mcp.budgets import Budgets
from web.mcp.rest import ask
from web.mcp.server import make_server
from web.mcp.tools import Tool
from web.settings import WebSettings

PATH = "/mcp"
SPARE_SECONDS = 0.1  # a call ends this long before the deadline of its request, so that its error can still be sent
MAX_BODY_BYTES = 4_000_000  # a larger message would hold up the event loop, which reads its JSON twice
_KEPT = ("asgi", "http_version", "scheme", "server", "client")


class McpOverHttp:
    """The route /mcp, which answers while the context `running` is open."""

    def __init__(self, settings: WebSettings) -> None:
        self._budgets = Budgets(settings)
        self._origins = settings.cors_origins
        self._settings = settings
        self._max_bytes = min(MAX_BODY_BYTES, settings.max_body_bytes)
        self._sessions = StreamableHTTPSessionManager(
            make_server(self._run, _request_id),
            json_response=True,
            stateless=True,
            max_request_body_size=self._max_bytes,
        )

    @property
    def route(self) -> ASGIRouteHandler:
        return asgi(PATH, opt={"scope": "search"}, copy_scope=True)(self.answer)

    @asynccontextmanager
    async def running(self, _: Litestar) -> AsyncIterator[None]:
        async with self._sessions.run():
            yield

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(cast(Any, scope))
        if request.method != "POST":  # without sessions there is no stream to read and no session to delete
            raise MethodNotAllowedException(headers={"allow": "POST"})
        self._check_origin(request)
        # The SDK would answer these two faults with plain text instead of a problem.
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise ApiError("media-type", "Send application/json.")
        if int(request.headers.get("content-length", 0)) > self._max_bytes:
            raise ApiError("too-large", f"The body has more than {self._max_bytes:,} bytes.")
        check_encoding(scope)
        body = await self._body(scope, receive)

        async def whole() -> Any:
            return body.pop() if body else await receive()

        await self._sessions.handle_request(cast(Any, scope), whole, cast(Any, send))

    async def _body(self, scope: Scope, receive: Receive) -> list[Any]:
        """Returns the body as one message. Raises ApiError for a body that is too large or too slow, and ClientGone if
        the client has left."""
        arriving, parts, most = Arriving(receive, context_of(scope), self._settings), bytearray(), self._max_bytes
        while True:
            message: Any = await arriving()
            if message["type"] == "http.disconnect":
                raise ClientGone
            parts += message["body"]
            if len(parts) > most:
                raise ApiError("too-large", f"The body has more than {most:,} bytes.")
            if not message.get("more_body"):
                return [{"type": "http.request", "body": bytes(parts), "more_body": False}]

    def _check_origin(self, request: Request) -> None:
        """Raises ApiError for a page of another origin that the settings do not allow. The protocol demands this
        check."""
        origin = request.headers.get("origin")
        own = f"{request.url.scheme}://{request.headers.get('host')}"
        if origin is not None and origin != own and not {origin, "*"} & {*self._origins}:
            raise ApiError("origin", hint="WINDOWSHOP_WEB_CORS_ORIGINS names the origins whose pages may call the API.")

    async def _run(self, context: ServerRequestContext[Any, Request], tool: Tool) -> dict[str, Any]:
        assert context.request is not None
        scope = cast(HTTPScope, context.request.scope)
        asked = tool.request()  # a call that is refused here is not counted
        await self._budgets.spend(client_of(scope), tool.rows)
        inner: dict[str, Any] = {name: scope[name] for name in _KEPT}  # type: ignore[literal-required]  # the keys are in _KEPT
        inner |= {"root_path": address(""), "headers": [], "state": {}}
        of_request = context_of(scope)
        of_request.attach_to(cast(Scope, inner))
        with anyio.fail_after(of_request.deadline - SPARE_SECONDS - anyio.current_time()):
            found = await ask(_with_path(scope["litestar_app"]), inner, asked, context.request.receive)
        return tool.shortened(found, f"{context.request.url.scheme}://{context.request.headers.get('host', '')}")


def _request_id(context: ServerRequestContext[Any, Request]) -> str:
    assert context.request is not None
    return context_of(cast(Scope, context.request.scope)).request_id


def _with_path(app: ASGIApp) -> ASGIApp:
    async def with_path(scope: Scope, receive: Receive, send: Send) -> None:
        set_path(scope, "")
        await app(scope, receive, send)

    return with_path
