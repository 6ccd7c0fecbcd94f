"""Answers /health, /ready and /metrics of an encoder, on a port of its own."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from typing import TYPE_CHECKING, Any

from prometheus_client.exposition import choose_encoder

from db.errors import SettingsError
from encoder.metrics import EncoderMetrics
from encoder.settings import EncoderSettings

if TYPE_CHECKING:
    from encoder.heartbeat import Heartbeat
    from encoder.lanes.queries import QueryLane  # imports torch, which takes seconds


class Probes:
    """The metrics of an encoder, and whether it is ready. The threads given to `follow` decide whether it is ready."""

    def __init__(self) -> None:
        self.metrics = EncoderMetrics()
        self._fault: Callable[[], str | None] = lambda: "the model is loading"
        self._is_behind: Callable[[], bool] = lambda: False

    def follow(self, lane: "QueryLane | None", heartbeat: "Heartbeat") -> None:
        def fault() -> str | None:
            if heartbeat.age > heartbeat.lease:
                return f"the last heartbeat was {heartbeat.age:.0f} seconds ago"
            if lane is not None and not lane.ready.is_set():
                return "the query lane has no connection to the database"
            return heartbeat.schema_fault

        self._fault, self._is_behind = fault, lambda: heartbeat.is_behind

    def stop(self) -> None:
        self._fault = lambda: "the encoder stops"

    def fault(self) -> str | None:
        """Returns why the encoder is not ready, or None if it is ready."""
        return self._fault()

    @property
    def is_behind(self) -> bool:
        """Returns whether the schema is newer than this code and still serves it."""
        return self._is_behind()

    @contextmanager
    def serving(self, settings: EncoderSettings) -> Iterator[str | None]:
        """Answer requests in threads until the context ends. Yields the address, or None if no port is set."""
        if settings.port is None:
            yield None
            return
        try:
            server = _server(settings)((settings.host, settings.port), _handler(self))
        except OSError as error:
            raise SettingsError(
                f"cannot listen at {settings.host}:{settings.port} for probes: {error.strerror}",
                hint="Set WINDOWSHOP_ENCODER_PORT to another port, or unset it for no probes and metrics.",
            ) from error
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="probes")
        thread.start()
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        try:
            yield f"http://{host}:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _server(settings: EncoderSettings) -> type[ThreadingHTTPServer]:
    class ProbeServer(ThreadingHTTPServer):
        address_family = AF_INET6 if ":" in settings.host else AF_INET
        daemon_threads = True
        block_on_close = False  # a slow client does not keep the encoder from ending

    return ProbeServer


def _handler(probes: Probes) -> type[BaseHTTPRequestHandler]:
    class ProbeHandler(BaseHTTPRequestHandler):
        timeout = 10  # seconds for which a connection may be silent
        server_version, sys_version = "windowshop", ""

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/health":
                    self._send(HTTPStatus.OK, {"status": "alive"})
                case "/ready":
                    fault = probes.fault()
                    if fault is None:
                        self._send(HTTPStatus.OK, {"status": "behind" if probes.is_behind else "ready"})
                    else:
                        self._send(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "not ready", "reason": fault})
                case "/metrics":
                    encode, kind = choose_encoder(self.headers.get("Accept", ""))
                    self._answer(HTTPStatus.OK, encode(probes.metrics.registry), kind)
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
