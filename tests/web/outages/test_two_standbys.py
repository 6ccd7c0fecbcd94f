"""Two hot standbys share the searches. Searches leave a standby that ends, lags or is silent, and use the other standby
or the primary."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import URL

from db import addresses
from db.embedded.server import Server, secrets
from db.engine import Database
from db.roles import Role
from db.site_status.finding import Level
from db.site_status.standby_checks import standbys
from tests.support.processes import wait_until
from tests.support.servers.replica import paused_replay, streaming_replica
from tests.support.servers.tcp_proxy import TcpProxy, tcp_proxy
from tests.support.web_service import LONG_DEADLINE, served
from web.http import standby

pytestmark = pytest.mark.soak

SEARCH = {"query": "bag", "top_k": 3}
LIMIT = 3  # seconds of lag


@pytest.fixture
def replicas(server: Server, server_home: Path, public_folder: Path) -> Iterator[tuple[int, int]]:
    with (
        streaming_replica(server, server_home, public_folder / "first") as first,
        streaming_replica(server, server_home, public_folder / "second") as second,
    ):
        yield first, second


def both(database: Database, ports: tuple[int, int]) -> URL:
    """Returns an address that names both replicas."""
    login = database.write
    address = (
        f"postgresql://{login.username}@127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}/{login.database}"
        "?load_balance_hosts=random&target_session_attrs=standby"
    )
    return addresses.parse("WINDOWSHOP_READ_DATABASE_URL", address).set(password=login.password)


@contextmanager
def sharing(database: Database, primary: TcpProxy, ports: tuple[int, int]) -> Iterator[httpx.Client]:
    """Serve the database with both replicas in the read address, and wait until both have caught up."""
    behind = replace(database, write=database.url(Role.WEB_WRITER).set(port=primary.port), read=both(database, ports))
    with served(behind, LONG_DEADLINE.model_copy(update={"max_lag_seconds": LIMIT})) as client:
        wait_until(lambda: client.post("/search/text", json=SEARCH).status_code == 200, 60, "a search")
        urls = [database.url(Role.ANALYST).set(drivername="postgresql", port=port) for port in ports]
        wait_until(lambda: all(map(_answers, urls)), 60, "caught-up replicas")
        time.sleep(5 * standby.EVERY_SECONDS)  # then the service reads from both standbys
        assert ready(client)["reads"] == "standby"
        yield client


def _answers(url: URL) -> bool:
    try:
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as conn:
            return conn.execute("select count(*) from shop.product").fetchone() != (0,)
    except psycopg.Error:
        return False


def ready(client: httpx.Client) -> Any:
    answer = client.get("/ready")
    assert answer.status_code == 200, answer.text
    return answer.json()


@contextmanager
def searching(client: httpx.Client) -> Iterator[list[tuple[int, float]]]:
    """Search in four threads until the context ends. Yields a list, to which each search adds its status and its
    duration in seconds."""
    seen, done = list[tuple[int, float]](), threading.Event()

    def search() -> None:
        with httpx.Client(base_url=client.base_url, timeout=60) as own:
            while not done.is_set():
                began = time.monotonic()
                status = own.post("/search/text", json=SEARCH).status_code
                seen.append((status, time.monotonic() - began))
                done.wait(0.005)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        done.set()
        for thread in threads:
            thread.join()


class Watch:
    """Counts the transactions of the database on each server."""

    def __init__(self, server: Server, server_home: Path, database: Database, ports: tuple[int, ...]) -> None:
        self._address = server.url("postgres", secrets(server_home).superuser, "postgres")
        self._name = database.write.database
        self._ports = ports

    def transactions(self) -> list[int]:
        return [self._ask(port, "select xact_commit from pg_stat_database where datname = %s") for port in self._ports]

    def _ask(self, port: int, sql: str) -> int:
        with psycopg.connect(self._address, port=port, autocommit=True) as conn:
            row = conn.execute(sql, (self._name,)).fetchone()
            assert row is not None
            return int(row[0])


def end(server: Server, server_home: Path, port: int, how: signal.Signals) -> None:
    """Send a signal to the postmaster of the replica."""
    address = server.url("postgres", secrets(server_home).superuser, "postgres")
    with psycopg.connect(address, port=port) as conn:
        row = conn.execute("show data_directory").fetchone()
    assert row is not None
    pid = (Path(row[0]) / "postmaster.pid").read_text().split()[0]
    os.kill(int(pid), how)


def test_two_standbys_share_searches_and_one_goes_on_when_the_other_ends(
    own_database: Database,
    primary: TcpProxy,
    replicas: tuple[int, int],
    server: Server,
    server_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standby, "EVERY_SECONDS", 0.2)
    with sharing(own_database, primary, replicas) as client:
        watch = Watch(server, server_home, own_database, replicas)
        before = watch.transactions()
        for _ in range(100):
            assert client.post("/search/text", json=SEARCH).json()["results"]

        def both_searched() -> bool:
            return all(now - then >= 50 for now, then in zip(watch.transactions(), before, strict=True))

        wait_until(both_searched, 60, "50 searches on each standby")

        with searching(client) as seen:
            wait_until(lambda: len(seen) > 50, 60, "searches before the end of a standby")
            end(server, server_home, replicas[0], signal.SIGQUIT)
            at = len(seen)
            wait_until(lambda: len(seen) > at + 200, 60, "searches after the end of a standby")
        assert {status for status, _ in seen} == {200}
        assert ready(client)["reads"] == "standby"
        with own_database.connect(None) as conn:
            lost, other = standbys(conn, replace(own_database, read=both(own_database, replicas)), 60)
        assert (lost.check, lost.level) == ("read address", Level.WARNING) and str(replicas[0]) in lost.message
        assert (other.check, other.level) == ("standby", Level.FINE)

        # The primary ends too, and the standby that is left answers.
        primary.refuse()
        wait_until(lambda: not ready(client)["primary"], 30, "the end of the primary")
        for _ in range(20):
            assert client.post("/search/text", json=SEARCH).status_code == 200
        assert ready(client)["reads"] == "standby"


def test_searches_leave_the_standby_that_lags_and_go_to_the_primary_when_both_lag(
    own_database: Database,
    primary: TcpProxy,
    replicas: tuple[int, int],
    server: Server,
    server_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standby, "EVERY_SECONDS", 0.2)
    with sharing(own_database, primary, replicas) as client, ExitStack() as stack:
        first = stack.enter_context(paused_replay(server, server_home, replicas[0]))

        def written(sku: str) -> list[int]:
            put = {"products": [{"sku": sku, "title": "A new product"}]}
            assert client.put("/products", json=put).status_code == 200
            time.sleep(LIMIT + 3)  # searches have left the standby that lags
            return [client.get(f"/products/{sku}").status_code for _ in range(20)]

        assert set(written("one lags")) == {200}
        state = ready(client)
        assert state["reads"] == "standby" and state["lag_seconds"] <= LIMIT  # the other standby answers

        second = stack.enter_context(paused_replay(server, server_home, replicas[1]))
        assert set(written("both lag")) == {200}
        state = ready(client)
        assert state["reads"] == "primary" and state["lag_seconds"] > LIMIT

        # Without the primary, searches use the standby that has replayed more. Only this standby has the product
        # "one lags".
        primary.refuse()
        wait_until(lambda: not ready(client)["primary"], 30, "the end of the primary")
        time.sleep(2)
        assert {client.get("/products/one lags").status_code for _ in range(20)} == {200}
        assert client.get("/products/both lag").status_code == 404
        assert ready(client)["reads"] == "standby"

        primary.forward()
        wait_until(lambda: ready(client)["primary"], 30, "the primary")
        first()
        second()
        wait_until(lambda: ready(client)["reads"] == "standby", 30, "reads on the standbys")
        assert client.get("/products/both lag").status_code == 200


def test_searches_leave_a_standby_that_is_silent(
    own_database: Database,
    primary: TcpProxy,
    replicas: tuple[int, int],
    server: Server,
    server_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standby, "EVERY_SECONDS", 0.2)
    with (
        tcp_proxy("127.0.0.1", replicas[0]) as proxy,
        sharing(own_database, primary, (proxy.port, replicas[1])) as client,
    ):
        proxy.silence()
        time.sleep(8)  # two checks take at most 2 seconds each, and the rest is a reserve
        with searching(client) as seen:
            wait_until(lambda: len(seen) > 100, 60, "searches")
        assert {status for status, _ in seen} == {200}
        assert ready(client)["reads"] == "standby"
