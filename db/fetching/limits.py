"""Defines the limits of a fetcher: the allowed hosts, the size and time of an answer, and the number of requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from math import inf

# The schemes of the object stores. Each is also the name of the pip extra that installs the driver.
SCHEMES = ("s3", "gs")


@dataclass(frozen=True, slots=True)
class FetchLimits:
    max_bytes: int = 10_000_000  # a response body has at most this many bytes
    seconds: float = 10.0  # time limit of one attempt, including redirects
    stall: float = inf  # an attempt ends if no byte arrives for this many seconds
    attempts: int = 3  # at most this many attempts when the server is busy or does not answer
    per_host: int = 4  # at most this many concurrent requests to one host
    connections: int = 32  # at most this many concurrent requests in total
    networks: Sequence[IPv4Network | IPv6Network] = ()  # networks allowed although they are not public
    hosts: Sequence[str] = ()  # hosts allowed although their addresses are not public; a leading dot allows subdomains
    ports: Sequence[int] = ()  # ports allowed besides 80 and 443
    settings: str | None = "WINDOWSHOP_ENCODER_FETCH"  # prefix of the settings that allow hosts, networks and ports
    object_stores: Sequence[str] = ()  # prefixes such as s3://bucket/, each with a trailing slash
