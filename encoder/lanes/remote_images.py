"""Fetches the images of the catalog that are on other hosts, in parallel with the pipeline of the catalog lane.

Threads fetch the images. The catalog lane claims the images, takes the fetched images as batches, and records failures.
So the pipeline never waits for a host. While a host does not answer, titles, files and images of other hosts are
encoded.
"""

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from sqlalchemy import Connection

from db.fetching.fetcher import Fetcher
from db.images.errors import FetchFailed, ImageRejected
from db.work import fetching
from db.work import items as work
from db.work.fetching import RemoteItem
from db.work.items import Item
from encoder.settings import EncoderSettings

log = structlog.get_logger()

_FULL_SECONDS = 0.5  # an incomplete batch waits at most this long for images that are being fetched
_MAX_BYTES = 256 * 2**20  # no image is claimed, and no fetch begins, while more bytes than this wait to be encoded
_SETTLE_SECONDS = 30.0  # longest expected time between the end of a fetch and the record of its outcome
_LOG_SECONDS = 60.0  # at most one log line for each host in this time
_LOG_HOSTS = 1000  # at most this many hosts have log lines of their own in _LOG_SECONDS
_OTHERS = "other hosts"


@dataclass(frozen=True, slots=True)
class _Fetch:
    model_id: int
    remote: RemoteItem


@dataclass(frozen=True, slots=True)
class FetchedImage:
    item: Item
    data: bytes
    at: float = field(default_factory=time.monotonic)


class RemoteImages:
    """The images that one worker has claimed for fetching. Only the claiming thread uses `_ready` and `_log`; the lock
    of `_changed` guards the data that the fetching threads share."""

    def __init__(self, worker: UUID, fetcher: Fetcher, settings: EncoderSettings, batch: int) -> None:
        self._worker = worker
        self._fetcher = fetcher
        self._per_host = settings.fetch_per_host
        # The lane holds at most this many images of one host: a batch, or eight for each connection if that is more.
        # More images would often be claimed in vain: when the host is paused, all its images are released.
        self._claim_per_host = max(8 * settings.fetch_per_host, batch)
        self._capacity = 2 * batch + settings.fetch_connections
        self._probe_seconds = settings.fetch_attempts * settings.fetch_seconds + _SETTLE_SECONDS
        self._threads = ThreadPoolExecutor(settings.fetch_connections, thread_name_prefix="fetch")
        self._changed = threading.Condition()
        self._queued: defaultdict[str, deque[_Fetch]] = defaultdict(deque)
        self._running: Counter[str] = Counter()
        self._failing: set[str] = set()  # hosts whose failure is not recorded yet
        self._outcomes: deque[tuple[_Fetch, bytes | ImageRejected]] = deque()
        self._ready: defaultdict[int, deque[FetchedImage]] = defaultdict(deque)
        self._bytes = 0  # size of the images in _outcomes and _ready
        self._log = HostLog()

    def claim(self, conn: Connection, model_id: int) -> None:
        """Claim images of the model and begin to fetch them."""
        with self._changed:
            room = self._capacity - self._count_claimed() if self._bytes <= _MAX_BYTES else 0
            busy = Counter({host: len(queue) for host, queue in self._queued.items()}) + self._running
        if room <= 0:
            return
        with conn.begin():
            claimed = fetching.claim(
                conn,
                self._worker,
                model_id,
                room,
                per_host=self._claim_per_host,
                busy=busy,
                seconds=self._probe_seconds,
            )
        with self._changed:
            for remote in claimed:
                self._queued[remote.host].append(_Fetch(model_id, remote))
            for host in {remote.host for remote in claimed}:
                self._start(host)

    def settle(self, conn: Connection, models: Collection[int]) -> int:
        """Record the outcomes of the fetches that have ended since the last call. Drop the images of models that are
        not in `models`. Returns the number of failures."""
        for model_id in [each for each in self._ready if each not in models]:
            self._subtract_bytes(self._ready.pop(model_id))
        with self._changed:
            outcomes = list(self._outcomes)
            self._outcomes.clear()
        failures, recovered = 0, set[str]()
        for fetch, outcome in outcomes:
            host = fetch.remote.host
            if isinstance(outcome, FetchFailed):
                with conn.begin():
                    paused = fetching.failed(conn, self._worker, fetch.model_id, fetch.remote, outcome)
                self._resume(conn, host, paused=paused)
            elif not fetch.remote.answers and host not in recovered:
                with conn.begin():
                    fetching.answered(conn, host)
                recovered.add(host)
            if isinstance(outcome, bytes):
                self._ready[fetch.model_id].append(FetchedImage(fetch.remote.item, outcome))
                continue
            failures += 1
            self._log.failure(host, outcome.message)
            if not isinstance(outcome, FetchFailed):
                with conn.begin():
                    work.fail(
                        conn,
                        self._worker,
                        fetch.model_id,
                        "image",
                        fetch.remote.item,
                        outcome.message,
                        final=outcome.final,
                    )
        return failures

    def take(self, model_id: int, limit: int) -> list[FetchedImage]:
        """Returns up to `limit` fetched images that may share a batch. While images are being fetched, an incomplete
        batch is held back for up to _FULL_SECONDS."""
        ready = self._ready[model_id]
        if not ready:
            return []
        with self._changed:
            expecting = bool(self._running)
        if len(ready) < limit and expecting and time.monotonic() - ready[0].at < _FULL_SECONDS:
            return []
        batch_limit = ready[0].item.batch_limit
        alike = [image for image in ready if image.item.batch_limit == batch_limit][: min(limit, batch_limit or limit)]
        chosen = {(image.item.product_id, image.item.position) for image in alike}
        self._ready[model_id] = deque(
            image for image in ready if (image.item.product_id, image.item.position) not in chosen
        )
        self._subtract_bytes(alike)
        return alike

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Wait for `seconds`, or until `stop` is set. If images are being fetched or have outcomes to record, wait
        until the next outcome instead, at most 0.2 seconds."""
        with self._changed:
            if self._outcomes or self._running:
                self._changed.wait(0.2)
                return
        stop.wait(seconds)

    def close(self) -> None:
        """Start no further fetches. The running fetches end by themselves, and their outcomes are not recorded."""
        with self._changed:
            self._queued.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _count_claimed(self) -> int:
        queued = sum(map(len, self._queued.values()))
        return queued + self._running.total() + len(self._outcomes) + sum(map(len, self._ready.values()))

    def _subtract_bytes(self, images: Collection[FetchedImage]) -> None:
        """Subtract the size of these images from the waiting bytes. If fetches stopped because too many bytes waited,
        start them again."""
        with self._changed:
            were_too_many = self._bytes > _MAX_BYTES
            self._bytes -= sum(len(image.data) for image in images)
            if were_too_many:
                for host in list(self._queued):
                    self._start(host)

    def _start(self, host: str) -> None:
        """Start the next fetches of a host. The caller holds the lock of `_changed`."""
        queue = self._queued[host]
        while (
            queue and host not in self._failing and self._running[host] < self._per_host and self._bytes <= _MAX_BYTES
        ):
            self._running[host] += 1
            self._threads.submit(self._fetch, queue.popleft())
        if not queue:
            del self._queued[host]

    def _fetch(self, fetch: _Fetch) -> None:
        outcome = self._read(fetch.remote.item.uri)
        host = fetch.remote.host
        with self._changed:
            self._outcomes.append((fetch, outcome))
            self._bytes += len(outcome) if isinstance(outcome, bytes) else 0
            self._running[host] -= 1
            if not self._running[host]:
                del self._running[host]
            if isinstance(outcome, FetchFailed):
                self._failing.add(host)
            self._start(host)
            self._changed.notify_all()

    def _read(self, uri: str | None) -> bytes | ImageRejected:
        if uri is None:
            return ImageRejected("the image is not in the catalog any more")
        try:
            return self._fetcher.read(uri)
        except ImageRejected as error:
            return error
        except Exception as error:  # without an outcome, the item would stay claimed as long as the worker runs
            return FetchFailed(f"{uri}: {type(error).__name__}: {error}")

    def _resume(self, conn: Connection, host: str, *, paused: bool) -> None:
        """After a host's failure is recorded, continue to fetch from the host. If the host is paused, release its
        queued images instead."""
        with self._changed:
            self._failing.discard(host)
            released = self._queued.pop(host, deque()) if paused else deque[_Fetch]()
            self._start(host)
        for model_id in {fetch.model_id for fetch in released}:
            items = [fetch.remote.item for fetch in released if fetch.model_id == model_id]
            with conn.begin():
                fetching.release(conn, self._worker, model_id, items)


class HostLog:
    """Logs failed fetches, at most one line for each host and minute. If more than 1,000 hosts fail in a minute, the
    failures of all further hosts share one line."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged: dict[str, float] = {}  # host -> time of its last line, the oldest first
        self._since: Counter[str] = Counter()  # host -> number of failures since its last line

    def failure(self, host: str, reason: str) -> None:
        now = self._clock()
        if host not in self._logged and not self._has_room(now):
            host = _OTHERS
        self._since[host] += 1
        if now - self._logged.get(host, -_LOG_SECONDS) >= _LOG_SECONDS:
            log.warning("images not fetched", host=host, failures=self._since.pop(host), reason=reason)
            self._logged.pop(host, None)  # so that the host moves to the end of the dictionary
            self._logged[host] = now

    def _has_room(self, now: float) -> bool:
        """Returns whether one more host can be stored. If _LOG_HOSTS hosts are stored, first removes the host with the
        oldest line, provided that this line is at least a minute old."""
        while len(self._logged) >= _LOG_HOSTS:
            host, at = next(iter(self._logged.items()))
            if now - at < _LOG_SECONDS:
                return False
            del self._logged[host]
            self._since.pop(host, None)
        return True
