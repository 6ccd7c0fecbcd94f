"""Makes thumbnails in decoder processes. If an image crashes or hangs its decoder, only one request fails."""

from collections.abc import Callable
from functools import partial

from db.images import thumbnail_worker
from db.images.errors import ImageRejected, ImageUnreadable
from db.images.messages import Box, DecodeError, DecodeLimits
from db.images.worker_pool import FAILURES, WorkerPool, explain

LIMITS = DecodeLimits(seconds=5)  # half the default time limit of a web request
MEMORY_BYTES = 1_500_000_000  # memory limit of a process; an image in 16-bit grey needs the most memory
_ATTEMPTS = 2  # attempts for one image, because another image or a signal can end the process in the first attempt


class ThumbnailPool:
    """A pool that starts its processes with the first thumbnail. Several threads may call it.

    Each process may take `memory_bytes` of memory. `niceness` lowers the priority of the processes.
    """

    def __init__(
        self,
        processes: int = 2,
        limits: DecodeLimits = LIMITS,
        *,
        memory_bytes: int = MEMORY_BYTES,
        niceness: int = 0,
    ) -> None:
        self._limits = limits
        self._workers = WorkerPool(processes, limits.seconds, thumbnail_worker.warm_up, (memory_bytes, niceness))

    def thumbnail(self, data: bytes, edge: int) -> bytes:
        """Return a WebP that fits a square of `edge` pixels. Raises ImageRejected when the image cannot be opened."""
        return self._result(partial(thumbnail_worker.thumbnail, data, edge, self._limits))

    def region(self, data: bytes, box: Box, edge: int) -> bytes:
        """Return a region of the image as a WebP that fits a square of `edge` pixels. `box` is left, top, width and
        height, as shares of the upright image's width and height. Raises ImageRejected when the image cannot be opened
        or the region has no pixel."""
        return self._result(partial(thumbnail_worker.region, data, box, edge, self._limits))

    def close(self) -> None:
        """Kill the processes. Later calls raise ImageUnreadable."""
        self._workers.close()

    def _result(self, call: Callable[[], bytes | DecodeError]) -> bytes:
        result = self._attempt(call, _ATTEMPTS)
        if isinstance(result, DecodeError):
            raise (ImageRejected if result.final else ImageUnreadable)(result.reason)
        return result

    def _attempt(self, call: Callable[[], bytes | DecodeError], attempts: int) -> bytes | DecodeError:
        try:
            return self._workers.submit(call).result()
        except FAILURES as failure:
            if attempts > 1 and not isinstance(failure, TimeoutError):
                return self._attempt(call, attempts - 1)
            return DecodeError(explain(failure), final=False)
