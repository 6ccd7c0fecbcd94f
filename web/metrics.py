"""What Prometheus reads, on a port of its own. No label per query, product, key or address."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

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
        self.open = Gauge("windowshop_http_open_requests", "Requests being answered.", registry=self.registry)
        self.connections = Gauge(
            "windowshop_database_connections", "Connections in use.", ("pool",), registry=self.registry
        )
        self.waiting = Gauge(
            "windowshop_database_waiting", "Requests that wait for a connection.", ("pool",), registry=self.registry
        )

    def serve(self, host: str, port: int) -> tuple[int, Callable[[], None]]:
        """Answer /metrics in a thread. Returns the port and what ends it."""
        server, thread = start_http_server(port, host, registry=self.registry)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return server.server_port, stop
