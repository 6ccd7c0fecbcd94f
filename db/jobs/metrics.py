"""Measures a process that runs jobs, for Prometheus. No label contains a feed, a path or an address."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from db import process_metrics
from db.jobs.worker import JobsWorker


def registry(worker: JobsWorker) -> CollectorRegistry:
    """Return the metrics of the process and of its jobs."""
    found = CollectorRegistry()
    process_metrics.register(found)
    found.register(_Jobs(worker))
    return found


class _Jobs(Collector):
    """The metrics of the worker. While the state of the feeds is not known, the metrics of feeds are absent, so that no
    scrape shows an old value."""

    def __init__(self, worker: JobsWorker) -> None:
        self._worker = worker

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        running = "1 while the process runs jobs, else 0."
        yield GaugeMetricFamily("windowshop_jobs_ready", running, float(self._worker.fault is None))
        loads = CounterMetricFamily("windowshop_feed_loads", "Loads of feeds that have ended.", labels=["result"])
        for result, count in self._worker.loads.items():
            loads.add_metric([result], count)
        yield loads
        found = self._worker.feeds
        if found is None:
            return
        yield GaugeMetricFamily("windowshop_feeds", "Feeds that are loaded on a schedule.", found.feeds)
        failed = "Feeds whose last load ended with an error."
        yield GaugeMetricFamily("windowshop_feeds_failed", failed, found.failed)
        late = "Time for which the oldest waiting load has been due; 0 if no load waits."
        yield GaugeMetricFamily("windowshop_feeds_late_seconds", late, found.late_seconds)
