"""Fixtures provide a web server on loopback and fetchers that may connect to this server."""

import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from db.fetching.fetcher import Fetcher
from encoder.settings import EncoderSettings
from tests.support.scripted_server import ScriptedServer, scripted_server


@pytest.fixture
def site() -> Iterator[ScriptedServer]:
    with scripted_server() as made:
        yield made


def unknown(host: str, _: int) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture
def fetcher(site: ScriptedServer) -> Iterator[Callable[..., Fetcher]]:
    """Yields a function that creates fetchers. By default, a fetcher sends each request once. Its settings allow the
    loopback network and the port of the test's server. A shop can allow its own network in the same way."""
    made = []

    def make(resolver: Callable[[str, int], list[str]] = unknown, **settings: Any) -> Fetcher:
        settings = {
            "fetch_networks": [ip_network("127.0.0.0/8")],
            "fetch_ports": [site.port],
            "fetch_attempts": 1,
            "fetch_seconds": 5,
            **settings,
        }
        made.append(Fetcher(EncoderSettings(**settings).fetch_limits(), resolver))
        return made[-1]

    yield make
    for each in made:
        each.close()
