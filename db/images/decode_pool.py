"""Decodes images in separate processes, to protect the encoder.

An image that crashes or hangs its decoder, or uses up the memory, ends only a decoder process. A batch is split into
tasks of up to 16 images. If a task fails, each of its images is decoded alone, to find the image that failed.

The decoders return pixels through shared memory. Only a few other values of each image return through a pipe.
"""

import math
import queue
from collections.abc import Iterable, Sequence
from concurrent.futures import wait

import numpy as np
from pebble import ProcessFuture

from db.images import decode_worker
from db.images.messages import DecodedImage, DecodeError, DecodeLimits, ImageSource
from db.images.pixels import InputShape, Pixels
from db.images.worker_pool import FAILURES, SPAWN, WorkerPool, explain

# A task has at most this many images. Larger tasks would not spread a batch over the processes. Smaller tasks would
# take more time, because each task has a fixed cost.
_MAX_TASK = 16


class DecodePool:
    """A pool of `processes` decoders, with memory for `slots` open batches of up to `slot_bytes` of pixels each.

    In addition, each process may take `memory_bytes` of memory, or any amount if `memory_bytes` is None.
    """

    def __init__(
        self, processes: int, slots: int, slot_bytes: int, limits: DecodeLimits, memory_bytes: int | None = None
    ) -> None:
        self._memory = SPAWN.RawArray("B", slots * slot_bytes)
        self._slot_bytes = slot_bytes
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(slots):
            self._free.put(slot * slot_bytes)
        self._processes = processes
        self._limits = limits
        self._workers = WorkerPool(processes, limits.seconds, decode_worker.share, (self._memory, memory_bytes))
        self._open_batches: set[DecodeBatch] = set()

    def start(self) -> None:
        """Start the decoder processes now, so that the first batch does not wait for them."""
        self._workers.submit(bool)  # the call itself does nothing, but the first call starts the processes

    def begin(self, sources: Sequence[ImageSource], shape: InputShape) -> "DecodeBatch":
        """Begin to decode images. The caller closes every DecodeBatch; at most `slots` batches are open at a time."""
        if len(sources) * shape.bytes > self._slot_bytes:
            raise ValueError(f"{len(sources)} images of {shape.bytes} bytes do not fit into {self._slot_bytes}")
        batch = DecodeBatch(self, list(sources), shape, self._free.get_nowait())
        self._open_batches.add(batch)
        return batch

    def submit(
        self, sources: list[ImageSource], shape: InputShape, offset: int
    ) -> ProcessFuture[list[DecodedImage | DecodeError]]:
        return self._workers.submit(decode_worker.decode_all, sources, shape, offset, self._limits)

    def task_size(self, count: int) -> int:
        return max(1, min(_MAX_TASK, math.ceil(count / (2 * self._processes))))

    def pixels(self, offset: int, count: int, shape: InputShape) -> Pixels:
        flat = np.frombuffer(self._memory, np.uint8, count * shape.bytes, offset)
        return flat.reshape(count, shape.height, shape.width, 3)

    def release(self, batch: "DecodeBatch", offset: int) -> None:
        if batch in self._open_batches:
            self._open_batches.remove(batch)
            self._free.put(offset)

    def abandon(self) -> None:
        """Close all open batches. Call this only after the threads that use the batches have stopped."""
        for batch in list(self._open_batches):
            batch.close()

    def close(self) -> None:
        self._workers.close()


class DecodeBatch:
    """A batch of images that are being decoded. `results` waits for the images. The pixels are valid until `close`."""

    def __init__(self, pool: DecodePool, sources: list[ImageSource], shape: InputShape, offset: int) -> None:
        self._pool, self._sources, self._shape, self._offset = pool, sources, shape, offset
        self._size = pool.task_size(len(sources))
        self._tasks = [(start, self._begin(start, self._size)) for start in range(0, len(sources), self._size)]

    def results(self) -> list[DecodedImage | DecodeError]:
        results: list[DecodedImage | DecodeError] = []
        for start, task in self._tasks:
            try:
                results += task.result()
            except FAILURES:
                results += [self._alone(n) for n in range(start, min(start + self._size, len(self._sources)))]
        return results

    def pixels(self, decoded: Iterable[tuple[int, DecodedImage]]) -> Pixels | list[Pixels]:
        """Return the pixels of `decoded`, which has pairs of an index in the batch and the image with this index.

        The result is one array (n, height, width, 3), or a list of arrays if each image has its own size.
        """
        chosen = list(decoded)
        every = self._pool.pixels(self._offset, len(self._sources), self._shape)
        if self._shape.fit == "within":
            sizes = [(image.rows, image.columns, 3) for _, image in chosen]
            return [
                every[place].reshape(-1)[: math.prod(size)].reshape(size)
                for (place, _), size in zip(chosen, sizes, strict=True)
            ]
        return every if len(chosen) == len(self._sources) else every[[place for place, _ in chosen]]

    def close(self) -> None:
        """Wait until no decoder writes to the memory of the batch, and give the memory back to the pool."""
        wait([task for _, task in self._tasks])
        self._pool.release(self, self._offset)

    def _begin(self, start: int, size: int) -> ProcessFuture[list[DecodedImage | DecodeError]]:
        offset = self._offset + start * self._shape.bytes
        return self._pool.submit(self._sources[start : start + size], self._shape, offset)

    def _alone(self, place: int) -> DecodedImage | DecodeError:
        try:
            return self._begin(place, 1).result()[0]
        except FAILURES as failure:
            return DecodeError(explain(failure), final=False)
