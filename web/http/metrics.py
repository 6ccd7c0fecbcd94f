"""Exports metrics to Prometheus on a separate port. No label contains a query, a product, a key or the address of a
client."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from db import process_metrics

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)  # upper bounds of histogram buckets


class Metrics:
    """The metrics of one service. Each service has its own registry, so two services in one process stay separate."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "windowshop_http_requests",
            "Requests that have ended.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "windowshop_http_request_seconds",
            "Time from a request to its answer.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.searches = Histogram(
            "windowshop_search_seconds",
            "Time of a search in the database, by kind of query and route.",
            ("kind", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.legs = Histogram(
            "windowshop_search_leg_seconds",
            "Time of a leg of a search in the database, by leg and by the leg's route.",
            ("leg", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.short = Counter(
            "windowshop_search_short", "Searches with fewer results than top_k.", ("kind",), registry=self.registry
        )
        self.degraded = Counter(
            "windowshop_search_degraded",
            "Searches by keywords alone, because the text could not be encoded.",
            registry=self.registry,
        )
        self.query_cache = Counter(
            "windowshop_query_cache",
            "Look-ups of texts and images in the query cache, by hit or miss.",
            ("answer",),
            registry=self.registry,
        )
        self.page_events = Counter(
            "windowshop_page_events",
            "Searches and clicks of visitors of the page: recorded, above the limit of a visitor, or lost.",
            ("result",),
            registry=self.registry,
        )
        self.open = Gauge("windowshop_http_open_requests", "Requests without an answer yet.", registry=self.registry)
        self.connections = Gauge(
            "windowshop_database_connections", "Connections in use.", ("pool",), registry=self.registry
        )
        self.waiting = Gauge(
            "windowshop_database_waiting", "Requests that wait for a connection.", ("pool",), registry=self.registry
        )

    def watch_encoder(self, read_state: Callable[[], "EncoderState | None"]) -> None:
        self.registry.register(_EncoderCollector(read_state))

    def watch_standbys(self, pools: "PoolsState") -> None:
        self.registry.register(_StandbyCollector(pools))

    def serve(self, host: str, port: int) -> tuple[int, Callable[[], None]]:
        """Answer /metrics in a thread. Returns the port and a function that stops the thread."""
        process_metrics.register(self.registry)
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


class ReaderState(Protocol):
    name: str
    lag: float | None
    is_usable: bool


class PoolsState(Protocol):
    primary_answers: bool

    @property
    def readers(self) -> Sequence[ReaderState]: ...

    @property
    def reads_on_primary(self) -> bool: ...


class _StandbyCollector(Collector):
    def __init__(self, pools: PoolsState) -> None:
        self._pools = pools

    def collect(self) -> Iterable[GaugeMetricFamily]:
        answers = "1 while the primary answers, else 0."
        yield GaugeMetricFamily("windowshop_primary_answers", answers, self._pools.primary_answers)
        moved = "1 while searches go to the primary instead of the standbys, else 0."
        yield GaugeMetricFamily("windowshop_reads_on_primary", moved, self._pools.reads_on_primary)
        used = "1 while searches use the standby, else 0."
        usable = GaugeMetricFamily("windowshop_standby_used", used, labels=["standby"])
        behind = "Seconds by which the standby lags. A standby that has replayed everything shows up to 2."
        lag = GaugeMetricFamily("windowshop_standby_lag_seconds", behind, labels=["standby"])
        for reader in self._pools.readers:
            usable.add_metric([reader.name], reader.is_usable)
            if reader.lag is not None:
                lag.add_metric([reader.name], reader.lag)
        yield usable
        yield lag


class _EncoderCollector(Collector):
    """Reads the state of the serving model's encoder when Prometheus scrapes, at most once in 5 seconds.

    While the state is not known, the encoder's metrics are absent.
    """

    CACHE_SECONDS = 5

    def __init__(self, read_state: Callable[[], EncoderState | None]) -> None:
        self._read_state = read_state
        self._lock = threading.Lock()  # each scrape runs in a thread of its own
        self._state: EncoderState | None = None
        self._expires = 0.0

    def collect(self) -> Iterable[GaugeMetricFamily]:
        with self._lock:
            if time.monotonic() >= self._expires:
                self._state, self._expires = self._read_state(), time.monotonic() + self.CACHE_SECONDS
            state = self._state
        if state is None:
            return
        yield GaugeMetricFamily("windowshop_encoder_running", "1 if an encoder is connected, else 0.", state.running)
        waiting = GaugeMetricFamily(
            "windowshop_encoder_waiting", "Items that wait for an encoder, up to 10,000.", labels=["lane"]
        )
        waiting.add_metric(["query"], state.waiting_queries)
        waiting.add_metric(["catalog"], state.waiting_items)
        yield waiting
        quarantined = "Titles and images in quarantine, up to 10,000."
        yield GaugeMetricFamily("windowshop_encoder_quarantined", quarantined, state.quarantined_items)
