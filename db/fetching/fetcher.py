"""Fetches the bytes of a URL, within limits of size, time and requests per host, and retries temporary failures."""

import email.utils
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from weakref import WeakValueDictionary

import httpcore2
import httpx2
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)
from tenacity.nap import sleep_using_event

from db.fetching.addresses import Reachable
from db.fetching.connections import GuardedBackend, Resolver, resolve
from db.fetching.limits import FetchLimits
from db.fetching.stores import SCHEMES, Stores
from db.images.errors import FetchFailed, ImageRejected, ImageUnreadable

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_GONE = (403, 404, 410)  # after these statuses, another attempt would not help
_BUSY = (408, 425, 429)  # after these statuses, and after every status from 500 on, another attempt may help
_LONGEST_WAIT = 86_400.0  # seconds; a longer wait in a Retry-After header counts as this


class _Retryable(FetchFailed):
    """An error after which the same call makes another attempt, after a wait of at least `seconds`."""


class Fetcher:
    """Reads URLs. All threads of a process share a single Fetcher, so that the limits hold for the whole process."""

    def __init__(self, limits: FetchLimits, resolver: Resolver = resolve) -> None:
        """Raises SettingsError when the driver of a listed object store is not installed."""
        self._max_bytes = limits.max_bytes
        self._seconds = limits.seconds
        self._reachable = Reachable(limits.networks, limits.ports, limits.hosts)
        self._stores = Stores(limits.object_stores, self._max_bytes, self._seconds)
        self._slots = _Slots(limits.connections, limits.per_host)
        self._agent = f"windowshop/{version('windowshop')}".encode()
        self._closed = threading.Event()
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpcore2.default_ssl_context(),
            max_connections=limits.connections,
            keepalive_expiry=5.0,
            network_backend=GuardedBackend(self._reachable, resolver),
        )
        self._backoff = wait_random_exponential(multiplier=0.5, max=self._seconds)
        self._retrying = Retrying(
            retry=retry_if_exception_type(_Retryable),
            stop=stop_any(stop_after_attempt(limits.attempts), stop_when_event_set(self._closed)),
            wait=self._wait,
            sleep=sleep_using_event(self._closed),
            reraise=True,
        )

    def read(self, address: str) -> bytes:
        """Return the bytes of a URL.

        Raises ImageRejected if no attempt can succeed, FetchFailed if the host does not answer or is busy, otherwise
        ImageUnreadable.
        """
        try:
            if address.partition("://")[0] in SCHEMES:
                return self._stores.read(address)
            url = self._reachable.url(address)
            return self._retrying(self._attempt, url)
        except FetchFailed as error:
            raise FetchFailed(f"{address}: {error.message}", answered=error.answered, seconds=error.seconds) from error
        except ImageRejected as error:
            kind = ImageRejected if error.final else ImageUnreadable
            raise kind(f"{address}: {error.message}") from error

    def close(self) -> None:
        """Close all connections. Calls in progress raise ImageUnreadable."""
        self._closed.set()
        self._pool.close()

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(self._backoff(state), error.seconds if isinstance(error, _Retryable) else 0.0)

    def _attempt(self, url: httpx2.URL) -> bytes:
        """Make one attempt, including redirects, within the time limit, which excludes the wait for a slot."""
        left = self._seconds
        for _ in range(MAX_REDIRECTS + 1):
            with self._slots.of(url.raw_host):
                began = time.monotonic()
                answer = self._ask(url, began + left)
                left -= time.monotonic() - began
            if isinstance(answer, bytes):
                return answer
            url = answer
        raise ImageRejected(f"more than {MAX_REDIRECTS} redirects")

    def _ask(self, url: httpx2.URL, deadline: float) -> bytes | httpx2.URL:
        """Return the body, or the URL that a redirect leads to."""
        headers = [
            (b"Host", url.netloc),
            (b"User-Agent", self._agent),
            (b"Accept", b"image/*,*/*;q=0.5"),
            (b"Accept-Encoding", b"identity"),
        ]
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        limits = dict.fromkeys(("connect", "read", "write"), deadline)
        try:
            with self._pool.stream("GET", target, headers=headers, extensions={"timeout": limits}) as response:
                return self._answer(url, response)
        except httpcore2.TimeoutException:
            raise _Retryable(f"no complete answer within {self._seconds:g} seconds") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise _Retryable(str(error) or type(error).__name__) from error

    def _answer(self, url: httpx2.URL, response: httpcore2.Response) -> bytes | httpx2.URL:
        headers = httpx2.Headers(response.headers)
        status = response.status
        if status in _REDIRECTS and "location" in headers:
            return self._reachable.follow(url, headers["location"])
        if status in _GONE:
            raise ImageRejected(f"the server answers {status}")
        if status in _BUSY or status >= 500:
            raise self._busy(status, headers.get("retry-after", ""))
        if status != 200:
            raise ImageUnreadable(f"the server answers {status}")
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", ""):
            raise ImageRejected(f"sent with Content-Encoding {encoding}, which was not requested")
        length = headers.get("content-length", "")
        return self._body(response, int(length) if length.isdecimal() else 0)

    def _body(self, response: httpcore2.Response, declared: int) -> bytes:
        if declared > self._max_bytes:
            raise ImageRejected(f"{declared} bytes; at most {self._max_bytes} are allowed")
        body = bytearray()
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > self._max_bytes:
                raise ImageRejected(f"more than {self._max_bytes} bytes")
        return bytes(body)

    def _busy(self, status: int, retry_after: str) -> FetchFailed:
        seconds = _seconds(retry_after)
        if seconds > self._seconds:
            reason = f"the server answers {status} and asks to wait {seconds:.0f} seconds"
            return FetchFailed(reason, answered=True, seconds=seconds)
        return _Retryable(f"the server answers {status}", answered=True, seconds=seconds)


class _Slots:
    """Limits the number of concurrent requests, in total and to each host."""

    def __init__(self, in_all: int, per_host: int) -> None:
        self._all = threading.BoundedSemaphore(in_all)
        self._per_host = per_host
        self._hosts: WeakValueDictionary[bytes, threading.BoundedSemaphore] = WeakValueDictionary()
        self._lock = threading.Lock()

    @contextmanager
    def of(self, host: bytes) -> Iterator[None]:
        with self._lock:
            slot = self._hosts.setdefault(host, threading.BoundedSemaphore(self._per_host))
        with slot, self._all:  # in this order, so that requests that wait for a slow host hold no slot of the total
            yield


def _seconds(retry_after: str) -> float:
    """Return the seconds of a Retry-After header, which is a number or a date, or 0 if the header is neither."""
    try:
        if retry_after.strip().isdecimal():
            seconds = float(retry_after)
        else:
            seconds = email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), _LONGEST_WAIT)
