"""HTTP as uvicorn speaks it, with an end to patience and to headers.

uvicorn's own time limit is for connections that are silent. It waits for ever for one that sends its header byte by
byte, goes on sending a body whose request was answered, or does not read its answers. While a request is being
answered, the service's deadline holds.
"""

import asyncio
from asyncio import TimerHandle

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from web.problems import MEDIA_TYPE, Refused, body_and_headers

PATIENCE_SECONDS = 10.0
MAX_HEADER_BYTES = 64 * 1024


class BoundedProtocol(HttpToolsProtocol):
    _since = 0.0  # when it last had no request to answer
    _unread = 0  # bytes of answers that the client had not taken when last looked at
    _look: TimerHandle | None = None
    _in_header = False
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._since = self.loop.time()
        self._look = self.loop.call_later(PATIENCE_SECONDS, self._end_if_stuck)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_header:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self.send_400_response("The header is too long.")

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP never reaches the application; it is answered with a problem all the same."""
        problem, _ = body_and_headers(Refused("malformed", msg), "")
        body = msgspec.json.encode(problem)
        lines = ("HTTP/1.1 400 Bad Request", f"content-type: {MEDIA_TYPE}", f"content-length: {len(body)}")
        self.transport.write("\r\n".join((*lines, "connection: close", "", "")).encode() + body)
        self.transport.close()

    def on_message_begin(self) -> None:
        self._in_header, self._header_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_header = False
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()

    def _end_if_stuck(self) -> None:
        unread, before = self.transport.get_write_buffer_size(), self._unread
        at_work = self.cycle is not None and not self.cycle.response_complete
        not_reading = 0 < before <= unread
        not_asking = not unread and not at_work and self.loop.time() >= self._since + PATIENCE_SECONDS
        if not_reading or not_asking:
            self.transport.abort()  # closing would wait until the client has read everything
            return
        self._unread = unread
        self._look = self.loop.call_later(PATIENCE_SECONDS, self._end_if_stuck)
