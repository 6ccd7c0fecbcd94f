"""The web service as a process: listen, answer, and on SIGTERM answer what was begun and leave."""

import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import msgspec
import structlog
import uvicorn

from db.engine import Database
from db.errors import WindowshopError
from web.app import make_app
from web.http.metrics import Metrics
from web.http.protocol import BoundedProtocol
from web.settings import WebSettings


class CannotListen(WindowshopError):
    pass


def serve(database: Database, settings: WebSettings, on_ready: Callable[[str], None] = lambda _: None) -> None:
    """Until SIGTERM or Ctrl-C. Raises CannotListen for an address in use or not ours."""
    log_lines()
    with _listening(database, settings) as (server, listener, address):
        on_ready(address)
        # The server takes signals while it runs, and raises them once more at its end: by then all is done.
        before = {number: signal.signal(number, lambda *_: None) for number in _in_main_thread()}
        try:
            server.run(sockets=[listener])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def running(database: Database, settings: WebSettings) -> Iterator[str]:
    """The service in a thread of this process for as long as the context lasts; its address. Raises CannotListen."""
    with _listening(database, settings) as (server, listener, address):
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="web")
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield address
        finally:
            server.should_exit = True
            thread.join()


def _in_main_thread() -> tuple[signal.Signals, ...]:
    """The signals that end the service; none in a thread, which cannot take any."""
    main = threading.current_thread() is threading.main_thread()
    return (signal.SIGTERM, signal.SIGINT) if main else ()


def log_lines() -> None:
    """One JSON object a line, on standard error; tracebacks without the values of variables."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(lambda line, **_: msgspec.json.encode(line, enc_hook=repr)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )


@contextmanager
def _listening(database: Database, settings: WebSettings) -> Iterator[tuple[uvicorn.Server, socket.socket, str]]:
    """A server that has its address already, so that nobody else can take it, and what the address is; its metrics."""
    metrics = Metrics()
    try:
        listener = socket.create_server((settings.host, settings.port), family=_family(settings.host), backlog=1024)
    except OSError as error:
        raise CannotListen(
            f"cannot listen at {settings.host}:{settings.port}: {error.strerror}",
            hint="Give another port with WINDOWSHOP_WEB_PORT.",
        ) from error
    app = make_app(database, settings, metrics)
    config = uvicorn.Config(
        app,
        http=partial(BoundedProtocol, refuse=app.refuse),  # type: ignore[arg-type]  # called like the class
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=[str(network) for network in settings.trusted_proxies],
        timeout_keep_alive=5,
        timeout_graceful_shutdown=settings.deadline_ms // 1000 + 1,
    )
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    with listener:
        stop = _metrics(metrics, settings)
        try:
            yield uvicorn.Server(config), listener, f"http://{shown}:{port}"
        finally:
            stop()


def _metrics(metrics: Metrics, settings: WebSettings) -> Callable[[], None]:
    if settings.metrics_port is None:
        return lambda: None
    try:
        return metrics.serve(settings.host, settings.metrics_port)[1]
    except OSError as error:
        raise CannotListen(
            f"cannot listen at {settings.host}:{settings.metrics_port} for metrics: {error.strerror}",
            hint="Give another port with WINDOWSHOP_WEB_METRICS_PORT, or null.",
        ) from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
