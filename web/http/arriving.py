"""Reads the body of a request within its own time limits, which are longer than the deadline of the request.

The time in which the body arrives does not count towards the deadline of the request. A body may take `deadline_ms`,
and one more second for each MIN_RATE bytes that have arrived, but at most the larger of `upload_ms` and `deadline_ms`.
Each pause between two parts of the body must be shorter than `deadline_ms`.
"""

import asyncio

from litestar.types import HTTPReceiveMessage, Receive, Scope

from web.http.context import RequestContext
from web.http.problems import ApiError
from web.settings import WebSettings

MIN_RATE = 10_000  # bytes per second

# A busy event loop may notice late that a limit of the body has passed. The deadline of the request must not pass
# before the loop has noticed.
_SPARE_SECONDS = 60

_SLOW = "The body arrives too slowly."
_STALLED = "The rest of the body did not arrive."


def check_encoding(scope: Scope) -> None:
    """Raises ApiError for a compressed body."""
    for name, value in scope["headers"]:
        if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise ApiError(
                "media-type",
                f"A body with Content-Encoding: {value.decode('latin-1')[:40]} is not accepted.",
                hint="Send the body uncompressed, without Content-Encoding.",
            )


class Arriving:
    """Wraps `receive` for the reader of the body. Only the task of the request may call it."""

    def __init__(self, receive: Receive, context: RequestContext, settings: WebSettings) -> None:
        self._receive, self._context = receive, context
        self._patience = settings.deadline_ms / 1000
        self._longest = max(self._patience, settings.upload_ms / 1000)
        self._began = asyncio.get_running_loop().time()
        self._bytes = 0

    async def __call__(self) -> HTTPReceiveMessage:
        """Returns the next message. Raises ApiError at a limit."""
        clock = asyncio.get_running_loop()
        now = clock.time()
        stalled = now + self._patience
        slow = self._began + min(self._longest, self._patience + self._bytes / MIN_RATE)
        until = min(stalled, slow)
        self._context.pause(until + _SPARE_SECONDS)
        try:
            async with asyncio.timeout_at(until):
                message = await self._receive()
        except TimeoutError:
            raise ApiError(
                "body-timeout", _STALLED if stalled <= slow else _SLOW, hint="Send the body faster, or a smaller one."
            ) from None
        finally:
            self._context.extend(clock.time() - now)
        if message["type"] == "http.request":
            self._bytes += len(message["body"])
        return message  # type: ignore[return-value]  # a request gets no other messages
