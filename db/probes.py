"""Answers /health, /ready and /metrics of a process that serves no other requests, on a port of its own."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from typing import TYPE_CHECKING, Any

from db.errors import SettingsError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

Fault = Callable[[], str | None]  # returns why the process is not ready, or None if it is ready


@contextmanager
def serving(
    host: str,
    port: int | None,
    setting: str,
    fault: Fault,
    registry: "CollectorRegistry",
    *,
    is_behind: Callable[[], bool] = lambda: False,
) -> Iterator[str | None]:
    """Answer requests in threads until the context ends. Yields the address, or None if `port` is None.

    `setting` is the name of the port's setting. `is_behind` tells whether the schema is newer than this code. Raises
    SettingsError if nothing can listen at this address.
    """
    if port is None:
        yield None
        return
    try:
        server = _server(host)((host, port), _handler(fault, is_behind, registry))
    except OSError as error:
        raise SettingsError(
            f"cannot listen at {host}:{port} for probes: {error.strerror}",
            hint=f"Set {setting} to another port, or unset it for no probes and metrics.",
        ) from error
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="probes")
    thread.start()
    shown = f"[{host}]" if ":" in host else host
    try:
        yield f"http://{shown}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _server(host: str) -> type[ThreadingHTTPServer]:
    class ProbeServer(ThreadingHTTPServer):
        address_family = AF_INET6 if ":" in host else AF_INET
        daemon_threads = True
        block_on_close = False  # a slow client does not keep the process from ending

    return ProbeServer


def _handler(
    fault: Fault, is_behind: Callable[[], bool], registry: "CollectorRegistry"
) -> type[BaseHTTPRequestHandler]:
    from prometheus_client.exposition import choose_encoder

    class ProbeHandler(BaseHTTPRequestHandler):
        timeout = 10  # seconds for which a connection may be silent
        server_version, sys_version = "windowshop", ""

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/health":
                    self._send(HTTPStatus.OK, {"status": "alive"})
                case "/ready":
                    reason = fault()
                    if reason is None:
                        self._send(HTTPStatus.OK, {"status": "behind" if is_behind() else "ready"})
                    else:
                        self._send(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "not ready", "reason": reason})
                case "/metrics":
                    encode, kind = choose_encoder(self.headers.get("Accept", ""))
                    self._answer(HTTPStatus.OK, encode(registry), kind)
                case _:
                    self._send(HTTPStatus.NOT_FOUND, {"status": "there is only /health, /ready and /metrics"})

        def do_HEAD(self) -> None:
            self.do_GET()

        def _send(self, status: HTTPStatus, content: dict[str, str]) -> None:
            self._answer(status, json.dumps(content).encode(), "application/json")

        def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log nothing: probes come every few seconds."""

    return ProbeHandler
