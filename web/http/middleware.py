"""What surrounds every request, whatever answers it: its id, its deadline, who asks, how many at once, one log line.

An ASGI application around Litestar's, because Litestar's own middleware does not see addresses that lead nowhere.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from web.http.access import Access
from web.http.metrics import Metrics
from web.http.problems import MEDIA_TYPE, ApiError, Problem, body_and_headers, refused
from web.http.protocol import Header
from web.settings import WebSettings

PROBES = ("/health", "/ready")
REFUSED = "refused"  # in place of a route: it is not known which it would have been
ENOUGH = "Enough requests are being answered."
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


# A problem as a page and its headers, for a request that came from a browser's address bar.
ShowPage = Callable[[Scope, Problem], tuple[bytes, dict[str, str]] | None]


class Service:
    def __init__(
        self,
        app: ASGIApp,
        settings: WebSettings,
        access: Access,
        metrics: Metrics,
        is_full: Callable[[str], bool],
        show_page: ShowPage,
    ) -> None:
        """`is_full`: would the application refuse a request of this path anyway?"""
        self._app = app
        self._is_full = is_full
        self._settings = settings
        self._access = access
        self._metrics = metrics
        self._show_page = show_page
        self._log = structlog.get_logger()
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        method = scope["method"]
        if method == "HEAD":  # as GET; the server, whose scope stays as it is, leaves the body out
            scope = {**scope, "method": "GET"}
        more: dict[str, Any] = scope  # type: ignore[assignment]
        more["request_id"] = _request_id(scope["headers"])
        more["deadline"] = asyncio.get_running_loop().time() + self._settings.deadline_ms / 1000
        answer = _Answer(send, more["request_id"])
        self._open += 1
        self._metrics.open.set(self._open)
        try:
            await self._answered(scope, receive, answer)
        finally:
            self._open -= 1
            self._metrics.open.set(self._open)
            self._note({**more, "method": method}, answer.status, time.perf_counter() - began)

    def refuse(self, method: bytes, address: bytes, headers: Sequence[Header]) -> tuple[Sequence[Header], bytes] | None:
        """The header and body of a refusal, when the application would refuse anyway. Then it is not bothered, nor is
        a task begun: among thousands of requests a second that are too many, a refusal must cost next to nothing."""
        if method == b"HEAD" or not self._is_full(address.decode("ascii", "replace")):
            return None
        began = time.perf_counter()
        request_id = _request_id(headers)
        problem, more = body_and_headers(ApiError("overloaded", ENOUGH), request_id)
        self._note(
            {"request_id": request_id, "method": method.decode("ascii"), "path_template": REFUSED},
            problem.status,
            time.perf_counter() - began,
        )
        told = more | {"Content-Type": MEDIA_TYPE, "X-Request-ID": request_id, "X-Content-Type-Options": "nosniff"}
        return _bytes(told), msgspec.json.encode(problem)

    async def _answered(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        probe = scope["path"] in PROBES
        try:
            if not probe and self._open > self._settings.max_requests:
                scope["path_template"] = REFUSED
                raise ApiError("overloaded", ENOUGH)
            async with asyncio.timeout_at(scope["deadline"]):  # type: ignore[typeddict-item]
                if not probe:
                    await self._access.admit(scope)
                await self._app(scope, receive, answer)
        except Exception as error:
            if answer.status is not None:  # it has begun: all that is left is to end the connection
                raise
            refusal = refused(error)
            if refusal.kind == "internal":
                self._log.error("unexpected error", request_id=scope["request_id"], exc_info=error)  # type: ignore[typeddict-item]
            problem, headers = body_and_headers(refusal, scope["request_id"])  # type: ignore[typeddict-item]
            page = self._show_page(scope, problem)
            body, more = page or (msgspec.json.encode(problem), {"Content-Type": MEDIA_TYPE})
            await answer.refuse(problem.status, headers | more, body)

    def _note(self, scope: dict[str, Any], status: int | None, seconds: float) -> None:
        route = str(scope.get("path_template") or "unmatched")
        method = scope["method"] if scope["method"] in ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS") else "other"
        self._metrics.requests.labels(method, route, str(status or 499)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        about = {"query": scope["query_text"]} if self._settings.log_queries and "query_text" in scope else {}
        self._log.info(
            "request",
            request_id=scope["request_id"],
            method=method,
            route=route,
            status=status or 499,  # nobody was there any more
            ms=round(seconds * 1000, 1),
            key=getattr(scope.get("api_key"), "name", None),
            **about,
        )


class _Answer:
    """`send`, with the request's id as a header and the status remembered."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._id = request_id
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", []),
                (b"x-request-id", self._id.encode()),
                (b"x-content-type-options", b"nosniff"),
            ]
        await self._send(message)

    async def refuse(self, status: int, headers: dict[str, str], body: bytes) -> None:
        headers |= {"Content-Length": str(len(body))}
        await self({"type": "http.response.start", "status": status, "headers": _bytes(headers)})
        await self({"type": "http.response.body", "body": body, "more_body": False})


def _bytes(headers: dict[str, str]) -> list[Header]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _request_id(headers: Iterable[Header]) -> str:
    """The caller's own, when it is one that a log line can hold."""
    given = next((value for name, value in headers if name == b"x-request-id"), b"")
    return given.decode() if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
