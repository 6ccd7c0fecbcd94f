"""Pictures are opened in processes of their own: a decoder that crashes, hangs or eats memory takes one of those along,
not the encoder, and the picture that did it is found by trying its neighbours alone.

Pixels come back through memory that both sides share; a few words a picture cross the pipe.
"""

import math
import multiprocessing
import queue
import signal
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import TimeoutError as Overdue
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool

import numpy as np
from pebble import ProcessExpired, ProcessFuture, ProcessPool

from db.images import decoder
from db.images.decoder import DecodedImage, DecodeError, Limits, Source
from db.images.pixels import InputShape, Pixels

_TASK = 16  # pictures a task, at most: few enough to spread, enough to make its own cost small


class DecodePool:
    """`processes` decoders and memory for `slots` batches under way of at most `slot_bytes` of pixels each."""

    def __init__(self, processes: int, slots: int, slot_bytes: int, limits: Limits) -> None:
        self._context = multiprocessing.get_context("spawn")  # forking a process with a GPU or threads breaks it
        self._memory = self._context.RawArray("B", slots * slot_bytes)
        self._slot_bytes = slot_bytes
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(slots):
            self._free.put(slot * slot_bytes)
        self._processes = processes
        self._limits = limits
        self._pool: ProcessPool | None = None
        self._starting = threading.Lock()
        self._under_way: set[DecodeBatch] = set()

    def open(self, sources: Sequence[Source], shape: InputShape) -> "DecodeBatch":
        """Begin to open pictures. Every DecodeBatch has to be closed; at most `slots` are open at a time."""
        row = shape.bytes
        if len(sources) * row > self._slot_bytes:
            raise ValueError(f"{len(sources)} pictures of {row} bytes do not fit into {self._slot_bytes}")
        opening = DecodeBatch(self, list(sources), shape, self._free.get_nowait())
        self._under_way.add(opening)
        return opening

    def submit(
        self, sources: list[Source], shape: InputShape, offset: int
    ) -> ProcessFuture[list[DecodedImage | DecodeError]]:
        arguments = (sources, shape, offset, self._limits)
        with self._starting:
            if self._pool is None or not self._pool.active:  # or broken: a decoder was killed while it was idle
                self._end()
                self._pool = ProcessPool(
                    self._processes, initializer=decoder.share, initargs=(self._memory,), context=self._context
                )
            return self._pool.schedule(decoder.open_all, args=arguments, timeout=self._limits.seconds)

    def task_size(self, count: int) -> int:
        return max(1, min(_TASK, math.ceil(count / (2 * self._processes))))

    def pixels(self, offset: int, count: int, shape: InputShape) -> Pixels:
        row = shape.bytes
        flat = np.frombuffer(self._memory, np.uint8, count * row, offset)
        return flat.reshape(count, shape.height, shape.width, 3)

    def done(self, opening: "DecodeBatch", offset: int) -> None:
        if opening in self._under_way:
            self._under_way.remove(opening)
            self._free.put(offset)

    def abandon(self) -> None:
        """Forget what is under way, after its pipeline was torn down."""
        for opening in list(self._under_way):
            opening.close()

    def close(self) -> None:
        with self._starting:
            self._end()

    def _end(self) -> None:
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()


class DecodeBatch:
    """Pictures under way. `results` waits for them; their pixels are valid until `close`."""

    def __init__(self, pool: DecodePool, sources: list[Source], shape: InputShape, offset: int) -> None:
        self._pool, self._sources, self._shape, self._offset = pool, sources, shape, offset
        self._row = shape.bytes
        size = pool.task_size(len(sources))
        self._tasks = [(start, self._begin(start, size)) for start in range(0, len(sources), size)]

    def results(self) -> list[DecodedImage | DecodeError]:
        found: list[DecodedImage | DecodeError] = []
        for start, task in self._tasks:
            size = self._pool.task_size(len(self._sources))
            try:
                found += task.result()
            except (ProcessExpired, BrokenProcessPool, Overdue):
                found += [self._alone(n) for n in range(start, min(start + size, len(self._sources)))]
        return found

    def pixels(self, opened: Iterable[tuple[int, DecodedImage]]) -> Pixels | list[Pixels]:
        """Of pictures by their places: (n, height, width, 3), or where they have sizes of their own, one by one."""
        chosen = list(opened)
        every = self._pool.pixels(self._offset, len(self._sources), self._shape)
        if self._shape.fit == "within":
            sizes = [(one.rows, one.columns, 3) for _, one in chosen]
            return [
                every[place].reshape(-1)[: math.prod(size)].reshape(size)
                for (place, _), size in zip(chosen, sizes, strict=True)
            ]
        return every if len(chosen) == len(self._sources) else every[[place for place, _ in chosen]]

    def close(self) -> None:
        """After this its memory belongs to others: waits until no decoder writes there any more."""
        wait([task for _, task in self._tasks])
        self._pool.done(self, self._offset)

    def _begin(self, start: int, size: int) -> ProcessFuture[list[DecodedImage | DecodeError]]:
        return self._pool.submit(self._sources[start : start + size], self._shape, self._offset + start * self._row)

    def _alone(self, place: int) -> DecodedImage | DecodeError:
        try:
            return self._begin(place, 1).result()[0]
        except Overdue:
            return DecodeError("opening the picture took too long", final=False)
        except ProcessExpired as error:
            return DecodeError(f"the picture ended the decoder ({_exit(error.exitcode)})", final=False)
        except BrokenProcessPool:
            return DecodeError("the decoders were ended from outside", final=False)


def _exit(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"
