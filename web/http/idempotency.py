"""Answers a repeated write with the answer to the first write, if both have the same header Idempotency-Key.

Before the service sends the answer, it tries for up to two seconds to store the answer or, after a failure, to free the
key. So the client can usually repeat the request at once. The key is remembered for 24 hours, or until 100,000 further
keys have come. Only successful answers of at most MAX_ANSWER bytes are remembered, so a client may repeat a failed
request with the same key. A different request with the same key gets a 422. While the first request runs, a repeated
request gets a 409.
"""

import asyncio
import hashlib
import re
from contextlib import suppress
from datetime import datetime
from typing import Any

from litestar import Request
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.status_codes import HTTP_204_NO_CONTENT
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from db import idempotency
from db.errors import DatabaseError
from web.http.access import client_of, guard
from web.http.context import context_of
from web.http.database import Pools
from web.http.problems import ApiError

HEADER = "Idempotency-Key"
REPLAYED = (b"idempotency-replayed", b"true")
IDEMPOTENT = "idempotent"  # in a route's `opt`: the route takes the header
MAX_ANSWER = 100_000  # bytes; a longer answer is not remembered, and a repeated request runs again
END_SECONDS = 30.0  # after this time, no further try to store an answer begins
TRY_SECONDS = 10.0  # time limit of a try
_WAIT_SECONDS = 2.0  # an answer waits at most this long until it is stored; the tries go on after that
_PAUSE_SECONDS = 1.0  # between two tries
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


class Idempotency(ASGIMiddleware):
    scopes = (ScopeType.HTTP,)

    def __init__(self) -> None:
        self._ending: set[asyncio.Task[None]] = set()  # the event loop itself has only weak references to tasks

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"idempotency-key"), None)
        app, client, handler = scope["litestar_app"], client_of(scope), scope["route_handler"]
        if given is None or not handler.opt.get(IDEMPOTENT):
            await next_app(scope, receive, send)
            return
        request: Request[Any, Any, Any] = app.request_class(scope, receive, send)
        if app.state.access.needs_keys:
            await guard(request, handler)  # a refused request does not use up the key
        if not _KEY.fullmatch(given):
            raise ApiError("invalid", f"{HEADER} is 1 to 200 printable ASCII characters without blanks.")
        # The stored answer must be readable for every client, so it is not compressed.
        scope["headers"] = [each for each in scope["headers"] if each[0] != b"accept-encoding"]
        parts = (request.method.encode(), scope["path"].encode(), scope["query_string"], await request.body())
        content = hashlib.sha256(b"\0".join(parts)).digest()
        key = hashlib.sha256(f"{client}\0{given}".encode()).digest()
        claim = await app.state.pools.write(request, lambda conn: idempotency.claim(conn, key, content))
        if claim.state == "other":
            raise ApiError("idempotency-key", f"This {HEADER} was used for another request.")
        if claim.state == "running":
            raise ApiError("conflict", f"A request with this {HEADER} is running.")
        if claim.claimed is None:  # the state is done
            await _replay(send, claim.status, claim.answer or b"")
            return
        answer = _Recorder()
        try:
            await next_app(scope, receive, answer)
        finally:
            ending = asyncio.ensure_future(_end(app.state.pools, key, claim.claimed, answer))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            context_of(scope).extend(_WAIT_SECONDS)  # so that the time limit does not replace an answer that is ready
            await asyncio.wait([ending], timeout=_WAIT_SECONDS)
        for message in answer.messages:
            await send(message)


class _Recorder:
    """Takes the place of `send`, and keeps the messages of an answer. No route that takes the header Idempotency-Key
    streams its answer."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)

    def remembered(self) -> tuple[int, bytes] | None:
        """Returns the status and the body of a successful answer that is not too long, otherwise None."""
        starts = [one["status"] for one in self.messages if one["type"] == "http.response.start"]
        parts = [one for one in self.messages if one["type"] == "http.response.body"]
        body = b"".join(one["body"] for one in parts)
        is_whole = bool(parts) and not parts[-1].get("more_body") and len(body) <= MAX_ANSWER
        return (starts[0], body) if is_whole and 200 <= starts[0] < 300 else None


async def _end(pools: Pools, key: bytes, claimed: datetime, answer: _Recorder) -> None:
    status, body = answer.remembered() or (None, None)
    until = asyncio.get_running_loop().time() + END_SECONDS
    # If no try succeeds, a repeated request gets a 409 until the claim is two minutes old (idempotency_claim).
    while asyncio.get_running_loop().time() < until:
        with suppress(DatabaseError, TimeoutError):
            await pools.probe(
                lambda conn: idempotency.end(conn, key, claimed, status, body), "primary", seconds=TRY_SECONDS
            )
            return
        await asyncio.sleep(_PAUSE_SECONDS)


async def _replay(send: Send, status: int | None, body: bytes) -> None:
    headers = [REPLAYED]
    if status != HTTP_204_NO_CONTENT:  # a 204 must not have the header Content-Length (RFC 9110)
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status or 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
