"""Gives each request an id and a deadline, checks access and the limit of open requests, and writes one log line for
the request.

This ASGI application wraps Litestar's, because Litestar's own middleware does not see requests that match no route or
method: they would have no id, no limit and no line in the log. Litestar's middleware for logs, limits and Prometheus
takes 252 microseconds of processor time for a request, and this middleware takes 96.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from typing import Any, cast

import msgspec
import structlog
from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.enums import ScopeType
from litestar.types import HTTPScope, Message, Receive, Scope, Send

from db import tracing
from db.lifecycle.label_advice import labels_of
from web.http.access import Access
from web.http.addresses import set_path, without_prefix
from web.http.context import RequestContext
from web.http.metrics import Metrics
from web.http.problems import MEDIA_TYPE, ApiError, Problem, as_api_error, log_if_internal, problem_and_headers
from web.http.protocol import Header
from web.settings import WebSettings

PROBES = ("/health", "/ready")
REFUSED = "refused"  # the route label of requests that are refused before routing
OVERLOADED = "The service is already answering its maximum number of requests."
STOPPING = "The service is stopping. Send the request again."
# All other methods share one label in the metrics.
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

# Returns the body and headers of an error page if a browser requested the search page or the staff page. Otherwise
# returns None.
ErrorPage = Callable[[Scope, Problem], tuple[bytes, dict[str, str]] | None]


class RequestMiddleware:
    def __init__(
        self,
        app: Litestar,
        settings: WebSettings,
        access: Access,
        metrics: Metrics,
        is_full: Callable[[str], bool],
        error_page: ErrorPage,
        route_of: Callable[[HTTPScope], str | None],
        cors: CORSConfig | None,
        stopping: asyncio.Event,
        note: Callable[[Scope], None],
    ) -> None:
        """`is_full` takes a path and returns whether the application would refuse a request for that path now.
        `route_of` returns the route of a request. The method `stop` sets `stopping`. `note` gets each request that
        `refuse_early` lets pass, before the request is answered."""
        self._app = app
        self._is_full = is_full
        self._settings = settings
        self._access = access
        self._metrics = metrics
        self._error_page = error_page
        self._route_of = route_of
        self._cors = cors
        self._stopping = stopping
        self._note = note
        self._log = structlog.get_logger()
        self._open = 0

    def running(self) -> AbstractAsyncContextManager[None]:
        """Returns the lifespan of the application, for a caller that is no ASGI server."""
        return self._app.lifespan()

    def stop(self) -> None:
        """End waiting requests early, because the server is about to stop."""
        self._stopping.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        method = scope["method"]
        if method == "HEAD":  # the application answers HEAD like GET, and the server does not send the body
            scope = {**scope, "method": "GET"}
        deadline = asyncio.get_running_loop().time() + self._settings.deadline_ms / 1000
        context = RequestContext(_request_id(scope["headers"]), deadline, is_head=method == "HEAD")
        context.attach_to(scope)
        self._note(scope)
        answer = _Answer(send, context)
        self._open += 1
        self._metrics.open.set(self._open)
        try:
            with _span(scope, method) as span:
                try:
                    await self._respond(scope, receive, answer, context)
                finally:
                    _describe(span, method, scope.get("path_template"), answer.status)
        finally:
            self._open -= 1
            self._metrics.open.set(self._open)
            self._record(context, method, scope.get("path_template"), answer.status, time.perf_counter() - began)

    def refuse_early(
        self, method: bytes, address: bytes, headers: Sequence[Header]
    ) -> tuple[Sequence[Header], bytes] | None:
        """Returns the headers and body of a 503 if the application would refuse the request anyway, otherwise None. A
        HEAD request is not refused here.

        The protocol calls this method before it starts a task, because a refusal must take almost no time when
        thousands of requests a second arrive.
        """
        path = without_prefix(address.decode("ascii", "replace"), self._settings.root_path)
        if method == b"HEAD" or not self._is_full(path):
            return None
        began = time.perf_counter()
        context = RequestContext(_request_id(headers), 0)
        problem, more = problem_and_headers(ApiError("overloaded", OVERLOADED), context.request_id)
        self._record(context, method.decode("ascii"), REFUSED, problem.status, time.perf_counter() - began)
        more |= {
            "Content-Type": MEDIA_TYPE,
            "X-Request-ID": context.request_id,
            "X-Content-Type-Options": "nosniff",
        }
        return _encoded(more), msgspec.json.encode(problem)

    async def _respond(self, scope: Scope, receive: Receive, answer: "_Answer", context: RequestContext) -> None:
        try:
            set_path(scope, self._settings.root_path)
            is_probe = scope["path"] in PROBES
            if not is_probe and self._open > self._settings.max_requests:
                scope["path_template"] = REFUSED
                raise ApiError("overloaded", OVERLOADED)
            async with asyncio.timeout_at(context.deadline) as context.timeout:
                if not is_probe:
                    await self._access.admit(scope)
                await self._app(scope, receive, answer)
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                raise
            # The server cancels the requests that are still open at the end of its grace period. An answer that has
            # begun stays incomplete, and the server closes its connection.
            if answer.status is None:
                await self._answer_error(scope, answer, context, ApiError("overloaded", STOPPING))
        except Exception as error:
            if answer.status is not None:  # a part of the answer was sent; the server now closes the connection
                raise
            await self._answer_error(scope, answer, context, error)

    async def _answer_error(self, scope: Scope, answer: "_Answer", context: RequestContext, error: Exception) -> None:
        if not scope.get("path_template"):
            scope["path_template"] = self._route_of(cast(HTTPScope, scope)) or ""
        known = as_api_error(error)
        log_if_internal(error, known.kind, context.request_id)
        problem, headers = problem_and_headers(known, context.request_id)
        page = self._error_page(scope, problem)
        body, more = page or (msgspec.json.encode(problem), {"Content-Type": MEDIA_TYPE})
        await answer.send_whole(problem.status, headers | more | self._cors_headers(scope), body)

    def _cors_headers(self, scope: Scope) -> dict[str, str]:
        """Returns the headers that let a page of the request's origin read an answer that did not come from a route."""
        origin = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"), None)
        if self._cors is None or origin is None or not self._cors.is_origin_allowed(origin):
            return {}
        return {**self._cors.simple_headers, "Access-Control-Allow-Origin": origin, "Vary": "Origin"}

    def _record(
        self, context: RequestContext, method: str, route: str | None, status: int | None, seconds: float
    ) -> None:
        """Count and log the request. `status` is None if no answer began; this counts as 499."""
        route = route or "unmatched"
        status = status or 499
        method = method if method in _METHODS else "other"
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        log_query = self._settings.log_queries and context.query_text is not None
        # Only the filters of answered searches are logged, because a refused filter may have megabytes.
        log_labels = self._settings.log_labels and context.asked is not None and status < 400
        self._log.info(
            "request",
            request_id=context.request_id,
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 1),
            key=None if context.api_key is None else context.api_key.name,
            **({"query": context.query_text} if log_query else {}),
            **({"labels": labels_of(*context.asked)} if log_labels and context.asked else {}),
        )


def _span(scope: Scope, method: str) -> AbstractContextManager[Any]:
    """Returns the span of a request. If the request names a span of the caller, that span is the parent. A probe has no
    span, and without tracing no request has one."""
    if not tracing.is_on() or scope["path"] in PROBES:
        return nullcontext()
    given = next((value for name, value in scope["headers"] if name == b"traceparent"), None)
    return tracing.span(method, "server", parent=None if given is None else given.decode("latin-1"))


def _describe(span: Any, method: str, route: str | None, status: int | None) -> None:
    if span is None:
        return
    span.update_name(f"{method} {route or 'unmatched'}")
    span.set_attributes({"http.request.method": method, "http.route": route or "unmatched"})
    if status is not None:
        span.set_attribute("http.response.status_code", status)


class _Answer:
    """Wraps `send`: adds headers, such as the request's id and its rate limit, and remembers the status."""

    def __init__(self, send: Send, context: RequestContext) -> None:
        self._send = send
        self._context = context
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", []),
                (b"x-request-id", self._context.request_id.encode()),
                (b"x-content-type-options", b"nosniff"),
                *self._context.rate_headers,
            ]
        await self._send(message)

    async def send_whole(self, status: int, headers: dict[str, str], body: bytes) -> None:
        headers |= {"Content-Length": str(len(body))}
        await self({"type": "http.response.start", "status": status, "headers": _encoded(headers)})
        await self({"type": "http.response.body", "body": body, "more_body": False})


def _encoded(headers: dict[str, str]) -> list[Header]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _request_id(headers: Iterable[Header]) -> str:
    """Returns the client's own id if it is safe in a log line, otherwise a random id."""
    given = next((value for name, value in headers if name == b"x-request-id"), b"")
    return given.decode() if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
