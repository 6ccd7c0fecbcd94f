"""A request ends at its deadline, even if the database server has become silent without closing the connection."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from db.engine import Database
from tests.support.processes import wait_until
from tests.support.servers.tcp_proxy import TcpProxy, tcp_proxy
from tests.support.web_service import SETTINGS, served
from web.http import pool

SEARCH = {"query": "bag", "top_k": 3}
PUT = {"products": [{"sku": "new", "title": "A new product"}]}


@contextmanager
def proxied(database: Database, **settings: Any) -> Iterator[tuple[httpx.Client, TcpProxy]]:
    """Serve the database through a proxy."""
    url = database.write
    with tcp_proxy(str(url.host), int(url.port or 0)) as proxy:
        through = replace(database, write=url.set(port=proxy.port), read=url.set(port=proxy.port))
        with served(through, SETTINGS.model_copy(update=settings)) as client:
            yield client, proxy


def timed(client: httpx.Client, method: str, path: str, **more: Any) -> tuple[int, float]:
    began = time.monotonic()
    status = client.request(method, path, **more).status_code
    return status, time.monotonic() - began


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "/search/text", SEARCH), ("GET", "/products/sku 1", None), ("PUT", "/products", PUT)],
)
def test_a_request_on_a_half_open_connection_is_answered_at_its_deadline(
    own_database: Database, method: str, path: str, body: Any
) -> None:
    with proxied(own_database, deadline_ms=1000) as (client, proxy):
        assert timed(client, method, path, json=body)[0] == 200
        proxy.silence()
        for _ in range(2):
            status, seconds = timed(client, method, path, json=body)
            assert status == 504
            assert seconds < 2
        assert timed(client, "GET", "/ready")[0] in (503, 504)
        proxy.forward()
        wait_until(lambda: timed(client, method, path, json=body)[0] == 200, 30, "a new connection")


def test_after_one_silent_connection_all_idle_connections_to_its_server_are_closed(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "CANCEL_SECONDS", 0.1)
    with proxied(own_database, deadline_ms=2000) as (client, proxy):
        with ThreadPoolExecutor(8) as threads:
            assert 200 in set(threads.map(lambda _: client.get("/products/sku 1").status_code, range(24)))
        proxy.silence()
        assert client.post("/search/text", json=SEARCH).status_code == 504
        proxy.forward()
        time.sleep(0.5)  # the connections are closed in the background
        assert [client.post("/search/text", json=SEARCH).status_code for _ in range(8)] == [200] * 8


def test_a_service_with_half_open_connections_stops_within_seconds(own_database: Database) -> None:
    with proxied(own_database, deadline_ms=1000) as (client, proxy):
        assert client.post("/search/text", json=SEARCH).status_code == 200
        assert client.put("/products", json=PUT).status_code == 200
        proxy.silence()
        assert client.post("/search/text", json=SEARCH).status_code == 504
        began = time.monotonic()
    assert time.monotonic() - began < 10
