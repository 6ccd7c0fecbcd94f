"""Connects only to IP addresses that were checked, and ends every connection at a deadline.

httpcore applies a timeout to each read, so a server that sends a byte now and then would never exceed the timeout. In
this module every `timeout` argument is a deadline, a value of `time.monotonic()`, and each step gets at most the time
until the deadline.
"""

import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from math import inf
from typing import Any

import httpcore2

from db.fetching.addresses import Ip, Reachable
from db.fetching.deadlines import call_until, seconds_left
from db.images.errors import ImageRejected

Resolver = Callable[[str, int], Sequence[str]]  # host, port -> addresses, the preferred address first


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host. Raises OSError, or UnicodeError for a text that cannot be a host name."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class GuardedBackend(httpcore2.NetworkBackend):
    def __init__(self, reachable: Reachable, resolver: Resolver, stall: float = inf) -> None:
        """Each step (connecting, TLS, a read, a write) times out after `stall` seconds, even before its deadline."""
        self._reachable = reachable
        self._stall = stall
        self._resolver = resolver
        self._tcp = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect. Raises ImageRejected for an invalid host name or a forbidden address."""
        assert timeout is not None
        try:
            ips = self.addresses(host, port, timeout)
            for number, ip in enumerate(ips):
                try:
                    # An address gets only a share of the remaining time, so that the next address also gets time.
                    share = seconds_left(timeout) / (len(ips) - number)
                    limit = min(share, self._stall)
                    stream = self._tcp.connect_tcp(str(ip), port, limit, local_address, socket_options)
                    return _Stream(stream, self._stall)
                except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                    if number == len(ips) - 1:
                        raise
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout from error
        raise httpcore2.ConnectError("the host has no address")

    def addresses(self, host: str, port: int, deadline: float) -> list[Ip]:
        """Return the addresses of a host. Raises ImageRejected if any of these addresses is forbidden, even if others
        are allowed, because a host name with addresses of both kinds is a sign of an attack. Raises TimeoutError at the
        deadline, and httpcore2.ConnectError if the host name cannot be resolved.
        """
        ips = self._resolved(host, port, deadline)
        for ip in ips:
            self._reachable.check(ip, host)
        return ips

    def _resolved(self, host: str, port: int, deadline: float) -> list[Ip]:
        try:
            return [ip_address(host)]
        except ValueError:
            pass
        try:
            found = call_until(deadline, lambda: self._resolver(host, port))
        except UnicodeError:
            raise ImageRejected("not a host name") from None
        except socket.gaierror as error:
            raise httpcore2.ConnectError(f"host name: {error.strerror}") from error
        return [ip_address(address) for address in dict.fromkeys(found)]


class _Stream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream, stall: float) -> None:
        self._stream, self._stall = stream, stall

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, min(_left(timeout, httpcore2.ReadTimeout), self._stall))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, min(_left(timeout, httpcore2.WriteTimeout), self._stall))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = min(_left(timeout, httpcore2.ConnectTimeout), self._stall)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._stall)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float | None, late: type[httpcore2.TimeoutException]) -> float:
    assert deadline is not None
    try:
        return seconds_left(deadline)
    except TimeoutError as error:
        raise late from error
