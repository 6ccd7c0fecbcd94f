"""What Prometheus reads, on a port of its own. No label per query, product, key or address."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Metrics:
    """One registry a service, so that two in one process do not add up."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "windowshop_http_requests", "Answered requests.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "windowshop_http_request_seconds",
            "Time to the answer.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.searches = Histogram(
            "windowshop_search_seconds",
            "Time of a search in the database, by what was asked and the route it took.",
            ("kind", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.short = Counter(
            "windowshop_search_short", "Searches with fewer results than asked for.", ("kind",), registry=self.registry
        )
        self.degraded = Counter(
            "windowshop_search_degraded", "Texts searched by keywords alone.", registry=self.registry
        )
        self.query_cache = Counter(
            "windowshop_query_cache",
            "Look-ups of the vector of a text or picture: was it in the cache?",
            ("answer",),
            registry=self.registry,
        )
        self.open = Gauge("windowshop_http_open_requests", "Requests being answered.", registry=self.registry)
        self.connections = Gauge(
            "windowshop_database_connections", "Connections in use.", ("pool",), registry=self.registry
        )
        self.waiting = Gauge(
            "windowshop_database_waiting", "Requests that wait for a connection.", ("pool",), registry=self.registry
        )

    def watch_encoder(self, ask: Callable[[], "EncoderState | None"]) -> None:
        self.registry.register(_Encoder(ask))

    def serve(self, host: str, port: int) -> tuple[int, Callable[[], None]]:
        """Answer /metrics in a thread. Returns the port and what ends it."""
        server, thread = start_http_server(port, host, registry=self.registry)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return server.server_port, stop


class EncoderState(Protocol):
    running: bool
    waiting_queries: int
    waiting_items: int
    quarantined_items: int


class _Encoder(Collector):
    """The encoder of the serving model as the database knows it: asked when Prometheus asks, at most every 5 seconds.
    While the database cannot be asked there are no such metrics, rather than old ones."""

    KEPT_SECONDS = 5

    def __init__(self, ask: Callable[[], EncoderState | None]) -> None:
        self._ask = ask
        self._asking = threading.Lock()  # each scrape comes in a thread of its own
        self._known: EncoderState | None = None
        self._until = 0.0

    def collect(self) -> Iterable[GaugeMetricFamily]:
        with self._asking:
            if time.monotonic() >= self._until:
                self._known, self._until = self._ask(), time.monotonic() + self.KEPT_SECONDS
            known = self._known
        if known is None:
            return
        yield GaugeMetricFamily("windowshop_encoder_running", "Is an encoder connected?", known.running)
        waiting = GaugeMetricFamily("windowshop_encoder_waiting", "What waits for one, up to 10,000.", labels=["lane"])
        waiting.add_metric(["query"], known.waiting_queries)
        waiting.add_metric(["catalog"], known.waiting_items)
        yield waiting
        quarantined = "Titles and pictures set aside, up to 10,000."
        yield GaugeMetricFamily("windowshop_encoder_quarantined", quarantined, known.quarantined_items)
