"""Reader -> model -> writer in threads, with bounded queues between them and a clock on every stage.

The model stage may run in several threads: on a CPU one a core, each with one thread of its own inside torch, is faster
than one whose threads wait for each other at every layer, and far faster when anything else runs on the machine. The
first stage to fail stops the others, and its error is raised.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Read = TypeVar("Read")
Made = TypeVar("Made")

STAGES = ("read", "model", "write")


@dataclass
class Clock:
    """Seconds each stage was busy, the mean over its threads; `wall` from start to end."""

    busy: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    wall: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def time(self, stage: str, since: float, threads: int = 1) -> None:
        with self._lock:
            self.busy[stage] += (time.perf_counter() - since) / threads


class _Stopped(Exception):
    pass


class Pipeline(Generic[Read, Made]):
    def __init__(self, model_threads: int = 1, depth: int = 2) -> None:
        self._model_threads = model_threads
        self._read: queue.Queue[Read | None] = queue.Queue(depth)
        self._made: queue.Queue[Made | None] = queue.Queue(depth)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self.clock = Clock()

    def run(self, reader: Iterator[Read], model: Callable[[Read], Made], writer: Callable[[Made], None]) -> None:
        """Drive every batch of `reader` through. Time a reader spends waiting for work counts as its own."""
        started = time.perf_counter()
        threads = [
            threading.Thread(target=self._guard, args=(self._pump_reader, reader), name="read"),
            threading.Thread(target=self._guard, args=(self._pump_writer, writer), name="write"),
            *(
                threading.Thread(target=self._guard, args=(self._pump_model, model), name="model")
                for _ in range(self._model_threads)
            ),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.clock.wall += time.perf_counter() - started
        if self._error is not None:
            raise self._error

    def _guard(self, pump: Callable[..., None], argument: object) -> None:
        try:
            pump(argument)
        except _Stopped:
            pass
        except BaseException as error:
            self._error = self._error or error
            self._stop.set()

    def _pump_reader(self, reader: Iterator[Read]) -> None:
        while True:
            since = time.perf_counter()
            batch = next(reader, None)
            self.clock.time("read", since)
            if batch is None:
                for _ in range(self._model_threads):
                    self._put(self._read, None)
                return
            self._put(self._read, batch)

    def _pump_model(self, model: Callable[[Read], Made]) -> None:
        while (batch := self._get(self._read)) is not None:
            since = time.perf_counter()
            made = model(batch)
            self.clock.time("model", since, self._model_threads)
            self._put(self._made, made)
        self._put(self._made, None)

    def _pump_writer(self, writer: Callable[[Made], None]) -> None:
        open_threads = self._model_threads
        while open_threads:
            made = self._get(self._made)
            if made is None:
                open_threads -= 1
                continue
            since = time.perf_counter()
            writer(made)
            self.clock.time("write", since)

    def _put(self, target: queue.Queue, item: object) -> None:  # type: ignore[type-arg]  # of either stage
        while not self._stop.is_set():
            try:
                return target.put(item, timeout=0.2)
            except queue.Full:
                continue
        raise _Stopped

    def _get(self, source: queue.Queue):  # type: ignore[no-untyped-def, type-arg]  # of either stage
        while not self._stop.is_set():
            try:
                return source.get(timeout=0.2)
            except queue.Empty:
                continue
        raise _Stopped
