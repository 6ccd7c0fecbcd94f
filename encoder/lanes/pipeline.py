"""Runs stages in threads, with bounded queues between the stages, and measures the time of each stage.

A stage may run in several threads. On a CPU, the model stage has a thread for each core, up to 16, and each of these
threads uses a single torch thread. That is faster than one model thread whose torch threads wait for each other at
every layer. The difference is larger when the machine does other work too. When a stage fails, all stages stop, and the
error of the first failed stage is raised.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Stage:
    """`work` takes the output of the previous stage and returns the input of the next stage, or None to drop the
    batch."""

    name: str
    work: Callable[[Any], Any]
    threads: int = 1


@dataclass
class StageTimer:
    """`busy` has the seconds of each stage, as the mean over the stage's threads. Time in which a stage waits for a
    queue is not counted; other waits of a stage are counted. `wall` is the number of seconds from the start of the
    pipeline to its end. `observe` gets the time of each batch in each stage."""

    busy: dict[str, float] = field(default_factory=dict)
    wall: float = 0.0
    observe: Callable[[str, float], None] = field(default=lambda _stage, _seconds: None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def time(self, stage: str, since: float, threads: int = 1) -> None:
        seconds = time.perf_counter() - since
        self.observe(stage, seconds)
        with self._lock:
            self.busy[stage] = self.busy.get(stage, 0.0) + seconds / threads


class _Stopped(Exception):
    pass


class Pipeline:
    def __init__(self, depth: int = 2, timer: StageTimer | None = None) -> None:
        self._depth = depth
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self.timer = timer or StageTimer()

    def run(self, first: str, reader: Iterator[Any], stages: Sequence[Stage]) -> None:
        """Pass every batch of `reader` through `stages`. `first` is the name of the reader in the timer. The reader's
        time includes its waits for work."""
        started = time.perf_counter()
        self.timer.busy |= dict.fromkeys((first, *(stage.name for stage in stages)), 0.0)
        queues: list[queue.Queue[Any]] = [queue.Queue(self._depth) for _ in stages]
        takers = [stage.threads for stage in stages]
        threads = [self._thread(first, self._read, first, reader, queues[0], takers[0])]
        for n, stage in enumerate(stages):
            ends = _Ends(stage.threads)
            following = (queues[n + 1], takers[n + 1]) if n + 1 < len(stages) else (None, 0)
            threads += [
                self._thread(stage.name, self._work, stage, queues[n], ends, *following) for _ in range(takers[n])
            ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.timer.wall += time.perf_counter() - started
        if self._error is not None:
            raise self._error

    def _thread(self, name: str, pump: Callable[..., None], *arguments: Any) -> threading.Thread:
        def guarded() -> None:
            try:
                pump(*arguments)
            except _Stopped:
                pass
            except BaseException as error:
                self._error = self._error or error
                self._stop.set()

        return threading.Thread(target=guarded, name=name)

    def _read(self, name: str, reader: Iterator[Any], out: "queue.Queue[Any]", takers: int) -> None:
        while True:
            since = time.perf_counter()
            batch = next(reader, None)
            self.timer.time(name, since)
            if batch is None:
                return self._end(out, takers)
            self._put(out, batch)

    def _work(
        self, stage: Stage, source: "queue.Queue[Any]", ends: "_Ends", out: "queue.Queue[Any] | None", takers: int
    ) -> None:
        while (batch := self._get(source)) is not None:
            since = time.perf_counter()
            result = stage.work(batch)
            self.timer.time(stage.name, since, stage.threads)
            if out is not None and result is not None:
                self._put(out, result)
        if out is not None and ends.last():
            self._end(out, takers)

    def _end(self, out: "queue.Queue[Any]", takers: int) -> None:
        for _ in range(takers):
            self._put(out, None)

    def _put(self, target: "queue.Queue[Any]", item: object) -> None:
        while not self._stop.is_set():
            try:
                return target.put(item, timeout=0.2)
            except queue.Full:
                continue
        raise _Stopped

    def _get(self, source: "queue.Queue[Any]") -> Any:
        while not self._stop.is_set():
            try:
                return source.get(timeout=0.2)
            except queue.Empty:
                continue
        raise _Stopped


class _Ends:
    """Counts the threads of a stage that have ended. `last` returns True only in the last of them."""

    def __init__(self, threads: int) -> None:
        self._left = threads
        self._lock = threading.Lock()

    def last(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left == 0
