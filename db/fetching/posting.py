"""Sends a body to a URL by POST. The URL must lead to a public host, or to a host or network that the operator has
listed. Redirects are not followed."""

import time
from collections.abc import Mapping
from importlib.metadata import version

import httpcore2

from db.fetching.addresses import PORTS, Reachable
from db.fetching.connections import GuardedBackend, Resolver, resolve
from db.images.errors import ImageRejected


class NotPosted(Exception):
    """The receiver gave no valid answer, or its address is invalid or forbidden."""


class Poster:
    def __init__(self, reachable: Reachable, seconds: float, resolver: Resolver = resolve) -> None:
        """`seconds` is the time limit of one attempt, from the look-up of the host to the status of the answer."""
        self._reachable, self._seconds = reachable, seconds
        self._backend = GuardedBackend(reachable, resolver)
        self._ssl = httpcore2.default_ssl_context()

    def check(self, address: str) -> None:
        """Raise NotPosted if nothing may be sent to this URL, or if its host name cannot be resolved."""
        try:
            url = self._reachable.url(address)
            port = url.port or PORTS[url.scheme]
            self._backend.addresses(url.raw_host.decode("ascii"), port, time.monotonic() + self._seconds)
        except ImageRejected as error:
            raise NotPosted(error.message) from None
        except TimeoutError:
            raise NotPosted(f"the host name was not resolved within {self._seconds:g} seconds") from None
        except httpcore2.ConnectError as error:
            raise NotPosted(str(error) or "the host has no address") from None

    def post(self, address: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send the body as JSON and return the HTTP status. The body of the answer is not read. Raises NotPosted."""
        try:
            url = self._reachable.url(address)
        except ImageRejected as error:
            raise NotPosted(error.message) from None
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        sent: dict[str, str | bytes] = {
            "Host": url.netloc,
            "User-Agent": f"windowshop/{version('windowshop')}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **headers,
        }
        limits = dict.fromkeys(("connect", "read", "write"), time.monotonic() + self._seconds)
        try:
            with (
                httpcore2.ConnectionPool(ssl_context=self._ssl, network_backend=self._backend) as pool,
                pool.stream(
                    "POST", target, headers=list(sent.items()), content=body, extensions={"timeout": limits}
                ) as response,
            ):
                return response.status
        except ImageRejected as error:
            raise NotPosted(error.message) from None
        except httpcore2.TimeoutException:
            raise NotPosted(f"no answer within {self._seconds:g} seconds") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise NotPosted(str(error) or type(error).__name__) from None
