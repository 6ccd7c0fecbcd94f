"""Exports hold a bounded number of connections, even if their clients do not read."""

import asyncio
import gc
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy import text

from db.catalog import export as products
from db.engine import Database
from tests.support.web_service import PRODUCTS, Serve
from web.api.v1 import export

PATH = "/v1/export-products"


@contextmanager
def idle_reader(client: httpx.Client) -> Iterator[None]:
    """Request an export over a connection, and read only the beginning of the answer."""
    with socket.socket() as conn:
        conn.settimeout(10)
        # The TCP window is small only if the buffer is set before `connect`.
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        conn.connect((client.base_url.host, client.base_url.port))
        conn.sendall(f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: identity\r\n\r\n".encode())
        assert conn.recv(12) == b"HTTP/1.1 200"
        yield


def status(client: httpx.Client, method: str = "GET") -> int:
    with client.stream(method, PATH) as answer:
        return answer.status_code


@pytest.mark.soak
def test_a_third_export_is_refused_while_two_clients_do_not_read(serve: Serve, own_database: Database) -> None:
    """The export has 12 MB, which is more than the buffers of the kernel hold."""
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(
            text(
                "insert into shop.product (product_id, sku, title, description) "
                "select shop.product_id('large ' || n), 'large ' || n, 'large', repeat('word ', 1200) "
                "from generate_series(1, 2000) n"
            )
        )
    with serve(own_database) as client:
        assert client.head(PATH).status_code == 200
        with idle_reader(client), idle_reader(client):
            began = time.monotonic()
            assert [status(client), status(client, "HEAD")] == [503, 503]
            assert client.post("/v1/search", json={"top_k": 1}).status_code == 200
            assert time.monotonic() - began < 5
        until = time.monotonic() + 10
        while (last := status(client)) != 200 and time.monotonic() < until:
            time.sleep(0.1)
        assert last == 200
        assert len(client.get(PATH).raise_for_status().text.splitlines()) == PRODUCTS + 2000


def test_an_export_is_read_in_batches(own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(
            text(
                "insert into shop.product (product_id, sku, title) "
                "select shop.product_id('p ' || n), 'p ' || n, 'sample' from generate_series(1, 240) n"
            )
        )
        assert [len(batch) for batch in products.export(conn, "main", None)] == [100, 100, 40 + PRODUCTS]


def test_exports_use_a_quarter_of_the_connections_but_at_least_one_and_at_most_two() -> None:
    async def allowed(connections: int) -> int:
        slots = export.limiter(connections)
        while not slots.is_full:
            await slots.__aenter__()
        return slots.active

    found = [asyncio.run(allowed(connections)) for connections in (1, 4, 7, 8, 500)]
    assert found == [1, 1, 1, 2, 2]


@pytest.mark.parametrize("seconds", [0.2, 60])
def test_without_garbage_collection_an_export_ends_at_its_time_limit_or_with_its_request(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """With a limit of 0.2 seconds, the export reaches this limit while the request is still sending a chunk. With a
    limit of 60 seconds, the test cancels the request while the request sends a chunk."""
    monkeypatch.setattr(export, "SECONDS", seconds)

    async def check() -> None:
        slots, chunks, ended = export.limiter(8), asyncio.Queue[bytes](1), asyncio.Event()

        async def produce() -> None:
            try:
                while True:
                    await chunks.put(b"x")
            finally:
                ended.set()

        found = export.stream(slots, chunks, produce)

        async def request() -> None:
            assert await anext(found) == b"x"
            await asyncio.Event().wait()  # stands for the server's `send`, which waits for a client that does not read

        serving = asyncio.ensure_future(request())
        await asyncio.sleep(0.1)
        assert slots.active == 1
        if seconds > 1:
            serving.cancel()
        await asyncio.wait_for(ended.wait(), 5)
        await asyncio.sleep(0)
        assert slots.active == 0
        serving.cancel()
        await asyncio.wait([serving])

    gc.disable()
    try:
        asyncio.run(check())
    finally:
        gc.enable()
