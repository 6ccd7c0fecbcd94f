"""Runs a TCP proxy whose connections can end, be refused, or become half-open: open, but without any answer."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

Mode = Literal["forward", "refuse", "silent"]


@dataclass(eq=False)
class _Link:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    is_silent: bool = False


class TcpProxy:
    """Forwards to `target` and listens at `port`. `target` may be changed; new connections then go there."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.port = 0
        self._mode: Mode = "forward"
        self.bytes_per_second: float | None = None  # of each direction of each connection; None: no limit
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()

    def forward(self) -> None:
        """Forward new connections. Connections that have become silent stay silent."""
        self._mode = "forward"

    def silence(self) -> None:
        """Take all bytes of present and new connections, and send nothing any more."""
        self._call(self._set("silent"))

    def refuse(self) -> None:
        """End all connections. End a new connection as soon as it is accepted."""
        self._call(self._set("refuse"))

    async def _set(self, mode: Mode) -> None:
        self._mode = mode
        for link in list(self._links):
            if mode == "silent":
                link.is_silent = True
            else:
                link.client.transport.abort()
                link.server.transport.abort()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode == "refuse":
            writer.transport.abort()
            return
        try:
            from_server, server = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, server, self._mode == "silent")
        self._links.add(link)
        try:
            await asyncio.gather(self._pump(link, reader, server), self._pump(link, from_server, writer))
        finally:
            self._links.discard(link)
            writer.transport.abort()
            server.transport.abort()

    async def _pump(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                if self.bytes_per_second is not None:
                    await asyncio.sleep(len(data) / self.bytes_per_second)
                if not link.is_silent:
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        if not link.is_silent:
            writer.transport.abort()

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        for link in list(self._links):
            link.is_silent = False
            link.client.transport.abort()
            link.server.transport.abort()
        handlers = asyncio.all_tasks() - {asyncio.current_task()}
        if handlers:
            await asyncio.wait(handlers, timeout=10)


@contextmanager
def tcp_proxy(host: str, port: int) -> Iterator[TcpProxy]:
    proxy = TcpProxy(host, port)
    thread = threading.Thread(target=proxy._run, name="proxy")
    thread.start()
    try:
        proxy._call(proxy._listen())
        yield proxy
    finally:
        proxy._loop.call_soon_threadsafe(proxy._loop.stop)
        thread.join()
