"""Fetches the bytes of a URL, within limits of size, time and requests per host, and retries temporary failures.

`Fetcher.read` returns a small file, such as an image. `Fetcher.download` writes a file of any size to the disk, unless
the server answers that the file has not changed.
"""

import email.utils
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from math import inf
from typing import BinaryIO, TypeVar
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
from db.fetching.limits import SCHEMES, FetchLimits
from db.fetching.stores import Stores
from db.images.errors import FetchFailed, ImageRejected, ImageUnreadable

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_PERMANENT_STATUSES = (403, 404, 410)  # after these statuses, another attempt would not help
_NOT_MODIFIED = 304
_IDENTITY = ("identity", "")
_COMPRESSED = ("gzip", "x-gzip")
_BUSY = (408, 425, 429)  # after these statuses, and after every status from 500 on, another attempt may help
_LONGEST_WAIT = 86_400.0  # seconds; a longer wait in a Retry-After header is reduced to this


Received = TypeVar("Received")
Receive = Callable[[httpx2.URL, httpcore2.Response, httpx2.Headers], Received]
Progress = Callable[[int, int | None], None]  # arguments: bytes received; bytes in all, or None if not known


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A finished download. `url` is the URL after all redirects.

    The next request to `url` sends the headers `validators`, so that the server sends the file only if the file has
    changed. No other URL gets these headers, because another URL may have a different file.
    """

    url: httpx2.URL
    validators: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Request:
    accept: str
    encodings: tuple[str, ...]  # the allowed values of Content-Encoding
    origin: httpx2.URL | None = None  # `secret` is sent only to the scheme, host and port of this URL
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    newest: Downloaded | None = None

    def validators(self, url: httpx2.URL) -> Mapping[str, str]:
        return self.newest.validators if self.newest and self.newest.url == url else {}


_IMAGE = _Request("image/*,*/*;q=0.5", _IDENTITY)


class _Retryable(FetchFailed):
    """An error after which the same call tries again, if attempts are left. Before the next attempt, the call waits for
    at least `seconds`."""


class Fetcher:
    """Reads URLs. All threads of an encoder share a single Fetcher, so that the limits hold for the whole encoder."""

    def __init__(self, limits: FetchLimits, resolver: Resolver = resolve) -> None:
        """Raises SettingsError when the driver of a listed object store is not installed."""
        self._max_bytes = limits.max_bytes
        self._seconds = limits.seconds
        self._stall = limits.stall
        self._reachable = Reachable(limits.networks, limits.ports, limits.hosts, limits.settings)
        self._stores = Stores(limits.object_stores, self._max_bytes, self._seconds)
        self._slots = _Slots(limits.connections, limits.per_host)
        self._agent = f"windowshop/{version('windowshop')}"
        self._closed = threading.Event()
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpcore2.default_ssl_context(),
            max_connections=limits.connections,
            keepalive_expiry=5.0,
            network_backend=GuardedBackend(self._reachable, resolver, limits.stall),
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

        Raises ImageRejected if no attempt can succeed, FetchFailed if the host does not answer or is busy, and
        ImageUnreadable after other errors.
        """
        try:
            if address.partition("://")[0] in SCHEMES:
                return self._stores.read(address)
            url = self._reachable.url(address)
            body: bytes = self._retrying(self._attempt, url, _IMAGE, self._body)
            return body
        except FetchFailed as error:
            raise FetchFailed(f"{address}: {error.message}", answered=error.answered, seconds=error.seconds) from error
        except ImageRejected as error:
            kind = ImageRejected if error.final else ImageUnreadable
            raise kind(f"{address}: {error.message}") from error

    def download(
        self,
        address: str,
        file: BinaryIO,
        *,
        secret: Mapping[str, str],
        newest: Downloaded | None = None,
        on_progress: Progress = lambda received, size: None,
    ) -> Downloaded | None:
        """Write the bytes of a URL to `file`, or return None if the server answers that the file is not modified.

        If a redirect leads to another scheme, host or port, the headers in `secret` are not sent there. `newest` is the
        last download. A body that the server compressed with gzip is not decompressed. If no later attempt can succeed,
        raises ImageRejected; otherwise raises one of its subclasses ImageUnreadable and FetchFailed. The errors do not
        name the address, which may contain a key. Raises OSError if the disk is full.
        """
        url = self._reachable.url(address)
        request = _Request("*/*", _IDENTITY + _COMPRESSED, url, secret, newest)
        done: Downloaded | None = self._retrying(self._attempt, url, request, partial(self._write, file, on_progress))
        return done

    def close(self) -> None:
        """Close all connections. Calls in progress raise ImageUnreadable."""
        self._closed.set()
        self._pool.close()

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(self._backoff(state), error.seconds if isinstance(error, _Retryable) else 0.0)

    def _attempt(self, url: httpx2.URL, request: _Request, receive: Receive[Received]) -> Received:
        """Make one attempt, including redirects, within the time limit. The wait for a slot does not count."""
        left = self._seconds
        for _ in range(MAX_REDIRECTS + 1):
            with self._slots.take(url.raw_host):
                began = time.monotonic()
                answer = self._ask(url, began + left, request, receive)
                left -= time.monotonic() - began
            if not isinstance(answer, httpx2.URL):
                return answer
            url = answer
        raise ImageRejected(f"more than {MAX_REDIRECTS} redirects")

    def _ask(
        self, url: httpx2.URL, deadline: float, request: _Request, receive: Receive[Received]
    ) -> Received | httpx2.URL:
        """Return the result of `receive`, or the URL that a redirect leads to."""
        headers: dict[str, str | bytes] = {
            "Host": url.netloc,
            "User-Agent": self._agent,
            "Accept": request.accept,
            "Accept-Encoding": "identity",
            **request.validators(url),
            **(request.secret if _same_origin(url, request.origin) else {}),
        }
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        limits = dict.fromkeys(("connect", "read", "write"), deadline)
        try:
            with self._pool.stream(
                "GET", target, headers=list(headers.items()), extensions={"timeout": limits}
            ) as response:
                return self._answer(url, response, request, receive)
        except httpcore2.TimeoutException:
            if self._stall < inf and time.monotonic() < deadline:
                raise _Retryable(f"no data within {self._stall:g} seconds") from None
            raise _Retryable(f"no complete answer within {self._seconds:g} seconds") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise _Retryable(str(error) or type(error).__name__) from error

    def _answer(
        self, url: httpx2.URL, response: httpcore2.Response, request: _Request, receive: Receive[Received]
    ) -> Received | httpx2.URL:
        headers = httpx2.Headers(response.headers)
        status = response.status
        if status in _REDIRECTS and "location" in headers:
            return self._reachable.follow(url, headers["location"])
        if status == _NOT_MODIFIED and request.validators(url):
            return receive(url, response, headers)
        if status in _PERMANENT_STATUSES:
            raise ImageRejected(f"the server answers {status}")
        if status in _BUSY or status >= 500:
            raise self._busy(status, headers.get("retry-after", ""))
        if status != 200:
            raise ImageUnreadable(f"the server answers {status}")
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in request.encodings:
            shown = "".join(filter(str.isprintable, encoding[:50]))
            raise ImageRejected(f"sent with Content-Encoding {shown}, which was not requested")
        return receive(url, response, headers)

    def _body(self, _: httpx2.URL, response: httpcore2.Response, headers: httpx2.Headers) -> bytes:
        return b"".join(self._pieces(response, _length(headers)))

    def _write(
        self,
        file: BinaryIO,
        on_progress: Progress,
        url: httpx2.URL,
        response: httpcore2.Response,
        headers: httpx2.Headers,
    ) -> Downloaded | None:
        if response.status == _NOT_MODIFIED:
            return None
        size = _length(headers)
        file.seek(0)  # an earlier attempt may have written a part
        file.truncate()
        for piece in self._pieces(response, size):
            file.write(piece)
            on_progress(file.tell(), size)
        conditions = (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified"))
        # A request can send only printable ASCII. Without a validator, the next request gets the whole file.
        return Downloaded(url, {name: headers[given] for name, given in conditions if _can_be_sent(headers, given)})

    def _pieces(self, response: httpcore2.Response, size: int | None) -> Iterator[bytes]:
        """Yield the body piece by piece. Raises ImageRejected if the body is too large."""
        if size is not None and size > self._max_bytes:
            raise ImageRejected(f"{size} bytes; at most {self._max_bytes} are allowed")
        received = 0
        for piece in response.iter_stream():
            received += len(piece)
            if received > self._max_bytes:
                raise ImageRejected(f"more than {self._max_bytes} bytes")
            yield piece

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
    def take(self, host: bytes) -> Iterator[None]:
        with self._lock:
            slot = self._hosts.setdefault(host, threading.BoundedSemaphore(self._per_host))
        # The slot of the host is taken first. So a request that waits for a slow host does not hold a slot of the
        # total.
        with slot, self._all:
            yield


def _same_origin(url: httpx2.URL, origin: httpx2.URL | None) -> bool:
    return origin is not None and (url.scheme, url.host, url.port) == (origin.scheme, origin.host, origin.port)


def _can_be_sent(headers: httpx2.Headers, name: str) -> bool:
    value = headers.get(name, "")
    return bool(value) and value.isascii() and value.isprintable()


def _length(headers: httpx2.Headers) -> int | None:
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() else None


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
