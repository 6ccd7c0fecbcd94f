"""Runs HTTP servers on loopback. A server sends exactly the bytes that a test gives, even malformed bytes."""

import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus
from typing import Any

import pytest

from db.fetching.fetcher import Fetcher
from db.images.errors import ImageRejected

Send = Callable[[bytes], Any]
Answer = bytes | Callable[[Send], None]


def response(body: bytes = b"", status: int = 200, **headers: str) -> bytes:
    """Returns a whole response. Each argument in `headers`, such as `Content_Length`, sets a header to any value."""
    fields = {"Content-Length": str(len(body)), "Connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def redirect(location: str, status: int = 302) -> bytes:
    return response(status=status, Location=location)


def dripping(start: bytes, drop: bytes) -> Answer:
    """Returns an answer that sends a few bytes at a time and never ends."""

    def answer(send: Send) -> None:
        send(start)
        while True:  # send() raises OSError when the client disconnects
            send(drop)
            time.sleep(0.02)

    return answer


@dataclass
class ScriptedServer:
    """A server with scripted answers by path. A list of answers is sent in order, and the last answer repeats.
    A path without an answer gets a 404."""

    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    connections: int = 0
    requests: list[tuple[str, Message]] = field(default_factory=list)  # path and headers
    bodies: list[bytes] = field(default_factory=list)
    port: int = 0

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    def url(self, path: str = "/") -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}{path}"

    def serve(self, connection: Any) -> None:
        self.connections += 1
        if self.tls:
            connection = self.tls.wrap_socket(connection, server_side=True)
        with connection, connection.makefile("rb") as stream:
            line, head = stream.readline(), b""
            while (part := stream.readline()).strip():
                head += part
            if not line:
                return
            path = line.split()[1].decode()
            headers = BytesParser().parsebytes(head)
            self.bodies.append(stream.read(int(headers.get("Content-Length", "0"))))
            self.requests.append((path, headers))
            answer = self.answers.get(path, response(b"nothing here", 404))
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            if callable(answer):
                answer(connection.sendall)
            else:
                connection.sendall(answer)


@contextmanager
def scripted_server(
    host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[ScriptedServer]:
    script = ScriptedServer(host, tls)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the client disconnected
                script.serve(self.request)

    class LoopbackServer(socketserver.ThreadingTCPServer):
        address_family = socketserver.socket.AF_INET6 if ":" in host else socketserver.socket.AF_INET
        allow_reuse_address = daemon_threads = True
        block_on_close = False

    with LoopbackServer((host, port), Handler) as server:
        script.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()


def refusal(fetcher: Fetcher, url: str) -> ImageRejected:
    """Read an address that the fetcher must refuse, and return the error. The message must begin with the address."""
    with pytest.raises(ImageRejected) as raised:
        fetcher.read(url)
    assert raised.value.message.startswith(url)
    return raised.value
