"""Answers /health, /ready and /metrics of an encoder, on a port of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from db import probes
from encoder.metrics import EncoderMetrics
from encoder.settings import EncoderSettings

if TYPE_CHECKING:
    from encoder.heartbeat import Heartbeat
    from encoder.lanes.queries import QueryLane  # imports torch, which takes seconds


class Probes:
    """Holds the metrics of an encoder, and answers whether the encoder is ready: the state of the threads given to
    `follow` decides."""

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
        with probes.serving(
            settings.host,
            settings.port,
            "WINDOWSHOP_ENCODER_PORT",
            self.fault,
            self.metrics.registry,
            is_behind=lambda: self.is_behind,
        ) as address:
            yield address
