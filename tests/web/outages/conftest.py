"""The fixture provides a primary behind a proxy that a test can interrupt."""

from collections.abc import Iterator

import pytest

from db.engine import Database
from tests.support.databases import lead_gateway_to
from tests.support.servers.tcp_proxy import TcpProxy, tcp_proxy


@pytest.fixture
def primary(own_database: Database) -> Iterator[TcpProxy]:
    """Yields a proxy in front of the primary. The gateway uses this proxy too."""
    url = own_database.write
    with tcp_proxy(str(url.host), int(url.port or 0)) as proxy:
        lead_gateway_to(own_database, proxy.port)
        yield proxy
