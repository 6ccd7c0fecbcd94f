"""Runs the web service as a process. On SIGTERM or Ctrl-C, the service gives the open requests some seconds to finish,
and exits."""

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from db.engine import Database
from db.errors import WindowshopError
from web.app import make_app
from web.http.addresses import ForwardedPrefix
from web.http.metrics import Metrics
from web.http.middleware import RequestMiddleware
from web.http.protocol import BoundedProtocol
from web.settings import WebSettings


class CannotListen(WindowshopError):
    pass


def serve(database: Database, settings: WebSettings, on_ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve until SIGTERM or Ctrl-C. `on_ready` gets the address of the service.

    Raises CannotListen if the service or its metrics cannot listen, for example because the port is in use, and
    SettingsError for a setting or a theme that cannot be used.
    """
    with _listening(database, settings) as (server, listener, address):
        on_ready(address)
        # uvicorn handles signals while it runs, and raises each received signal again when it has stopped. The handlers
        # set here ignore the signal that is raised again.
        handlers = {number: signal.signal(number, lambda *_: None) for number in _stop_signals()}
        try:
            server.run(sockets=[listener])
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)


class _Server(uvicorn.Server):
    """A server that tells the application when it begins to stop."""

    def __init__(self, config: uvicorn.Config, app: RequestMiddleware) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.stop()
        await super().shutdown(sockets)


@contextmanager
def running(database: Database, settings: WebSettings) -> Iterator[str]:
    """Serve in a thread of this process until the context ends, and yield the address. Raises the errors of `serve`."""
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


def _stop_signals() -> tuple[signal.Signals, ...]:
    """Returns the signals that stop the service. Outside the main thread, returns none, because only the main thread
    can handle signals."""
    is_main = threading.current_thread() is threading.main_thread()
    return (signal.SIGTERM, signal.SIGINT) if is_main else ()


@contextmanager
def _listening(database: Database, settings: WebSettings) -> Iterator[tuple[uvicorn.Server, socket.socket, str]]:
    """Yields a server with its socket and address. The socket is already bound, so that no other process can take the
    address."""
    metrics = Metrics()
    try:
        listener = socket.create_server((settings.host, settings.port), family=_family(settings.host), backlog=1024)
    except OSError as error:
        raise CannotListen(
            f"cannot listen at {settings.host}:{settings.port}: {error.strerror}",
            hint="Give another port: --port, or WINDOWSHOP_WEB_PORT.",
        ) from error
    app = make_app(database, settings, metrics)
    config = uvicorn.Config(
        _behind_proxies(app, settings),
        http=partial(BoundedProtocol, refuse_early=app.refuse_early),  # type: ignore[arg-type]  # uvicorn only calls it
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # see _behind_proxies
        timeout_keep_alive=5,
        timeout_graceful_shutdown=settings.deadline_ms // 1000 + 1,
    )
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    with listener:
        stop_metrics = _serve_metrics(metrics, settings)
        try:
            yield _Server(config, app), listener, f"http://{shown}:{port}"
        finally:
            stop_metrics()


def _behind_proxies(app: Any, settings: WebSettings) -> Any:
    """Returns the application, wrapped so that the headers of trusted proxies apply. Headers of other proxies are
    ignored."""
    proxies = settings.trusted_proxies
    if not proxies:
        return app
    return ForwardedPrefix(ProxyHeadersMiddleware(app, [str(network) for network in proxies]), proxies)


def _serve_metrics(metrics: Metrics, settings: WebSettings) -> Callable[[], None]:
    if settings.metrics_port is None:
        return lambda: None
    try:
        return metrics.serve(settings.metrics_host, settings.metrics_port)[1]
    except OSError as error:
        raise CannotListen(
            f"cannot listen at {settings.metrics_host}:{settings.metrics_port} for metrics: {error.strerror}",
            hint="Set WINDOWSHOP_WEB_METRICS_PORT to another port, or to null for no metrics.",
        ) from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
