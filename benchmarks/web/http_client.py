"""Sends prepared HTTP requests on keep-alive connections, and reads only the status and Retry-After of answers.

The client is kept small, because it runs on the machine of the measured service: its own processor time distorts the
figures.
"""

import asyncio
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import httptools

IDLE_SECONDS = 3.0  # a connection that was idle for longer is not used again; the service closes it after 5 s


class Connections:
    """A pool with one connection per open request. A request takes the most recently used idle connection."""

    def __init__(self, address: str, headers: Mapping[str, str]) -> None:
        url = urlsplit(address)
        self._address = (url.hostname or "127.0.0.1", url.port or 80)
        self._headers = _lines({"Host": url.netloc, **headers})
        self._idle: list[_Connection] = []

    async def post(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bool]:
        """Returns the status, and whether the answer has Retry-After. Raises OSError if there is no answer."""
        more = _lines({**headers, "Content-Length": str(len(body))})
        connection = self._take_idle() or await self._connect()
        answer = await connection.ask(b"POST %b HTTP/1.1\r\n%b%b\r\n%b" % (path.encode(), self._headers, more, body))
        self._idle.append(connection)
        return answer

    def _take_idle(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open() and connection.idle_since + IDLE_SECONDS > time.monotonic():
                return connection
            connection.transport.close()
        return None

    async def _connect(self) -> "_Connection":
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, *self._address)
        return connection


class _Connection(asyncio.Protocol):
    idle_since = 0.0
    _answer: asyncio.Future[tuple[int, bool]] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a stream has a Transport
        self.transport = transport

    def is_open(self) -> bool:
        return not self.transport.is_closing()

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bool]]:
        self._parser = httptools.HttpResponseParser(self)
        self._retry_after = False
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._retry_after |= name.lower() == b"retry-after"

    def on_message_complete(self) -> None:
        if not self._parser.should_keep_alive():
            self.transport.close()
        self.idle_since = time.monotonic()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), self._retry_after))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("no answer"))


def _lines(headers: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
