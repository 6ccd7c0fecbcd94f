"""Measures an encoder for Prometheus. No label contains a text, a product or an address."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from db import process_metrics
from db.errors import DatabaseError
from db.work.items import Backlog

if TYPE_CHECKING:
    from encoder.lanes.batches import Counters  # imports torch, which takes seconds

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)  # upper bounds of histogram buckets
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
CACHE_SECONDS = 5.0  # scrapes read the backlog from the database at most once in this time


class EncoderMetrics:
    """The metrics of one encoder process. They keep their values when models are added."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        process_metrics.register(self.registry)
        self._stages = Histogram(
            "windowshop_encoder_stage_seconds",
            "Time of a catalog batch in a stage. The stage claim includes the wait for work.",
            ("stage",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._sizes = Histogram(
            "windowshop_encoder_batch_size",
            "Number of titles, images or queries in a batch.",
            ("kind",),
            buckets=SIZES,
            registry=self.registry,
        )
        self._waits = Histogram(
            "windowshop_encoder_query_wait_seconds",
            "Time that a query waits, from the request to encode it to the start of its batch.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._query_batches = Histogram(
            "windowshop_encoder_query_batch_seconds",
            "Time in which a batch of queries was encoded.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._heartbeat = Gauge(
            "windowshop_encoder_heartbeat_age_seconds", "Time since the last heartbeat.", registry=self.registry
        )
        self._lane = Gauge(
            "windowshop_encoder_query_lane_ready",
            "1 while the encoder answers queries, else 0.",
            registry=self.registry,
        )
        self._engines = Gauge(
            "windowshop_encoder_towers",
            "Number of loaded towers, by the engine that runs them: torch, torch bfloat16 or onnxruntime.",
            ("part", "engine"),
            registry=self.registry,
        )
        self._work = _Work()
        self.registry.register(self._work)

    def stage(self, name: str, seconds: float) -> None:
        self._stages.labels(name).observe(seconds)

    def batch(self, kind: str, size: int) -> None:
        self._sizes.labels(kind).observe(size)

    def query_batch(self, waited: Iterable[float], seconds: float) -> None:
        """Measure an encoded batch of queries: the wait of each query, and the time of the batch."""
        waits = list(waited)
        self.batch("query", len(waits))
        for wait in waits:
            self._waits.observe(wait)
        self._query_batches.observe(seconds)

    def engines(self, models: Iterable[Mapping[str, str]]) -> None:
        """Count the towers. `models` has the engine of each model's towers, such as {"image": "torch"}."""
        self._engines.clear()
        for part, engine in (each for engines in models for each in engines.items()):
            self._engines.labels(part, engine).inc()

    def watch(
        self,
        *,
        heartbeat_age: Callable[[], float],
        lane_is_ready: Callable[[], bool],
        counters: "Counters",
        read_backlog: Callable[[], Backlog],
    ) -> None:
        """Read the metrics from these sources when Prometheus scrapes, instead of the sources of an earlier call."""
        self._heartbeat.set_function(heartbeat_age)
        self._lane.set_function(lambda: float(lane_is_ready()))
        self._work.source = _Source(counters, read_backlog)


@dataclass(frozen=True)
class _Source:
    counters: "Counters"
    read_backlog: Callable[[], Backlog]


class _Work(Collector):
    """The metrics of what the encoder has encoded, and those of the work list. The metrics of the work list are absent
    if the database did not answer when they were last read."""

    def __init__(self) -> None:
        self.source: _Source | None = None
        self._lock = threading.Lock()  # each scrape runs in a thread of its own
        self._backlog: Backlog | None = None
        self._expires = 0.0

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        if self.source is None:
            return
        counters = self.source.counters
        encoded = CounterMetricFamily("windowshop_encoder_encoded", "Stored vectors, by part.", labels=["part"])
        encoded.add_metric(["title"], counters.title)
        encoded.add_metric(["image"], counters.image)
        yield encoded
        failed = "Failed attempts to encode a title or an image."
        yield CounterMetricFamily("windowshop_encoder_failed", failed, counters.failed)
        backlog = self._read(self.source)
        if backlog is None:
            return
        oldest = "Time for which the oldest title or image that is due has waited."
        yield GaugeMetricFamily("windowshop_work_oldest_seconds", oldest, backlog.oldest_seconds)
        waiting = "Titles and images that wait to be encoded, up to 10,000."
        yield GaugeMetricFamily("windowshop_work_waiting", waiting, backlog.waiting)
        quarantined = "Titles and images in quarantine, up to 10,000."
        yield GaugeMetricFamily("windowshop_work_quarantined", quarantined, backlog.quarantined)

    def _read(self, source: _Source) -> Backlog | None:
        with self._lock:
            if time.monotonic() >= self._expires:
                try:
                    self._backlog = source.read_backlog()
                except DatabaseError:
                    self._backlog = None
                self._expires = time.monotonic() + CACHE_SECONDS
            return self._backlog
