"""Adds limits for slow clients and long headers to uvicorn's HTTP protocol, and refusals that take almost no time.

uvicorn's own time limit applies only to silent connections. uvicorn waits without limit for three kinds of clients:
those that send their header byte by byte, those that keep sending the body of an answered request, and those that do
not read their answers. This protocol closes the connections of these clients. While a request is being answered, the
service's deadline applies.

hypercorn 0.18 and granian 2.8 never close the connection of a client that does not read. They take 2.0 and 1.9 ms of
processor time for a search where this protocol takes 1.8 (two shared cores, 1,000 products). At five times the peak
rate, granian answered 16 searches per second instead of 53, and hypercorn refused a request only after 30 seconds.

The class overrides methods of uvicorn that are not documented, so pyproject.toml allows one minor version of uvicorn,
and tests/web/http/test_private_parts.py names these parts.
"""

import asyncio
import re
import secrets
import sys
from asyncio import TimerHandle
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from httptools import HttpParserInvalidMethodError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from web.http.problems import MEDIA_TYPE, ApiError, problem_and_headers

# A client that completes no request, or reads nothing, for this time is cut off at the next check.
IDLE_TIMEOUT_SECONDS = 10.0
MAX_HEADER_BYTES = 64 * 1024  # a request is refused if its header is longer and has not ended yet
MAX_ADDRESS_BYTES = 65_535  # longest address that httptools reads
_REQUEST_LINE = re.compile(rb"^[A-Za-z][A-Za-z_-]{0,39} [!-~]+ HTTP/1\.[01]\r?$", re.MULTILINE)

Header = tuple[bytes, bytes]
# Takes a request's method, address and headers. Returns the headers and body of a 503, or None to accept the request.
RefuseEarly = Callable[[bytes, bytes, Sequence[Header]], tuple[Sequence[Header], bytes] | None]


class BoundedProtocol(HttpToolsProtocol):
    _idle_since = 0.0  # the time when the connection opened or the last answer was complete, by the event loop's clock
    _unread = 0  # bytes of answers that the client had not read at the last check
    _next_check: TimerHandle | None = None
    _in_header = False
    _header_bytes = 0
    _received = b""  # the bytes that are being read
    _refusal: tuple[Sequence[Header], bytes] | None = None  # sent when the whole request has been read

    def __init__(self, *args: Any, refuse_early: RefuseEarly, **more: Any) -> None:
        super().__init__(*args, **more)
        self._refuse_early = refuse_early

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self._next_check = self.loop.call_later(IDLE_TIMEOUT_SECONDS, self._abort_if_stuck)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._next_check is not None:
            self._next_check.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received = data
        super().data_received(data)
        self._received = b""
        if self._in_header and not self.transport.is_closing():
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self.send_400_response("The header is too long.")

    def send_400_response(self, msg: str) -> None:
        """Answer with a problem if the bytes are not HTTP, the method is unknown, or the header or the address is too
        long. Such a request never reaches the application."""
        error = ApiError("malformed", msg)
        if isinstance(sys.exception(), HttpParserInvalidMethodError) and _REQUEST_LINE.search(self._received):
            error = ApiError("method-unknown")
        elif len(getattr(self, "url", b"")) > MAX_ADDRESS_BYTES:
            error = ApiError("malformed", f"The address is longer than {MAX_ADDRESS_BYTES:,} bytes.")
        request_id = secrets.token_hex(8)
        problem, _ = problem_and_headers(error, request_id)
        status = HTTPStatus(problem.status)
        headers = ((b"content-type", MEDIA_TYPE.encode()), (b"x-request-id", request_id.encode()))
        self._send(f"{status} {status.phrase}".encode(), headers, msgspec.json.encode(problem), keep=False)

    def on_message_begin(self) -> None:
        self._in_header, self._header_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_header = False
        if (self.cycle is None or self.cycle.response_complete) and not self.expect_100_continue:
            self._refusal = self._refuse_early(self.parser.get_method(), self.url, self.headers)
        if self._refusal is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._refusal is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._refusal is None:
            super().on_message_complete()
            return
        (headers, body), self._refusal = self._refusal, None
        self._send(b"503 Service Unavailable", headers, body, keep=self.parser.should_keep_alive())
        self.on_response_complete()

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def _send(self, status: bytes, headers: Sequence[Header], body: bytes, *, keep: bool) -> None:
        length = (b"content-length", str(len(body)).encode())
        close = () if keep else ((b"connection", b"close"),)
        lines = [b": ".join(header) for header in (*self.server_state.default_headers, *headers, length, *close)]
        self.transport.write(b"\r\n".join((b"HTTP/1.1 " + status, *lines, b"", body)))
        if not keep:
            self.transport.close()

    def _abort_if_stuck(self) -> None:
        unread, before = self.transport.get_write_buffer_size(), self._unread
        is_answering = self.cycle is not None and not self.cycle.response_complete
        reads_nothing = 0 < before <= unread
        sends_no_request = (
            not unread and not is_answering and self.loop.time() >= self._idle_since + IDLE_TIMEOUT_SECONDS
        )
        if reads_nothing or sends_no_request:
            self.transport.abort()  # close() would wait until the client has read everything
            return
        self._unread = unread
        self._next_check = self.loop.call_later(IDLE_TIMEOUT_SECONDS, self._abort_if_stuck)
