"""A hot standby answers searches. Reads go to the primary while the standby lags, and to the standby while the primary
does not answer. test_two_standbys.py has the tests with two standbys."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from db.embedded.server import Server, secrets
from db.engine import Database
from db.roles import Role
from tests.support.databases import Databases, admin, lead_gateway_to
from tests.support.images import load_drawings
from tests.support.processes import wait_until, windowshop_in_new_interpreter
from tests.support.servers.replica import paused_replay, streaming_replica
from tests.support.servers.tcp_proxy import TcpProxy
from tests.support.web_service import SETTINGS, answering, encoding, served
from web.http import standby
from web.http.database import Pools

pytestmark = pytest.mark.deploy
Environment = Callable[[Database], dict[str, str]]
SEARCH = {"query": "bag", "top_k": 3}


@pytest.fixture(scope="module")
def replica_port(server: Server, server_home: Path, public_folder: Path) -> Iterator[int]:
    with streaming_replica(server, server_home, public_folder / "replica") as port:
        yield port


RULE = {"name": "new", "condition": {"always": True}, "action": {"banner": "Sale"}}


@contextmanager
def site(database: Database, proxy: TcpProxy, replica: int, **settings: Any) -> Iterator[httpx.Client]:
    """Serve the database with the replica as the read address, and wait until the replica has caught up."""
    behind = replace(
        database, write=database.url(Role.WEB_WRITER).set(port=proxy.port), read=database.write.set(port=replica)
    )
    with served(behind, SETTINGS.model_copy(update=settings)) as client:
        wait_until(lambda: client.post("/search/text", json=SEARCH).status_code == 200, 60, "a caught-up replica")
        wait_until(lambda: ready(client)["lag_seconds"] is not None, 30, "a measured lag")
        yield client


def ready(client: httpx.Client) -> Any:
    answer = client.get("/ready")
    assert answer.status_code == 200, answer.text
    return answer.json()


def leaves_and_returns(client: httpx.Client, server: Server, server_home: Path, replica: int, limit: float) -> None:
    """Check that reads leave the paused standby within `limit` + 5 seconds, show the primary's rows, and return to the
    standby when its replay continues."""
    assert ready(client)["reads"] == "standby"
    with paused_replay(server, server_home, replica) as resume:
        began = time.monotonic()
        put = {"products": [{"sku": "written while the replay is paused", "title": "A new product"}]}
        assert client.put("/products", json=put).status_code == 200
        rule = client.post("/v1/rules", json=RULE).raise_for_status().json()
        assert client.get(f"/v1/rules/{rule['rule_id']}").json() == rule
        assert client.get("/v1/rules", params={"catalog": "main"}).json()["rules"] == [rule]
        client.delete(f"/v1/rules/{rule['rule_id']}").raise_for_status()
        wait_until(lambda: ready(client)["reads"] == "primary", limit + 30, "reads on the primary")
        assert time.monotonic() - began < limit + 5
        assert client.get("/products/written while the replay is paused").status_code == 200
        assert ready(client)["lag_seconds"] > limit
        resume()
        wait_until(lambda: ready(client)["reads"] == "standby", 30, "reads on the standby")
    assert ready(client)["lag_seconds"] <= limit
    assert client.get("/products/written while the replay is paused").status_code == 200


def test_what_if_is_refused_on_a_standby(own_database: Database, replica_port: int) -> None:
    url = own_database.url(Role.APP).set(drivername="postgresql", port=replica_port)
    address = url.render_as_string(hide_password=False)

    def refusal() -> str | None:
        try:
            with psycopg.connect(address, autocommit=True) as conn:
                conn.execute("select * from shop.what_if('[]')")
        except psycopg.errors.ReadOnlySqlTransaction as error:
            return str(error)
        except psycopg.Error:
            pass  # the standby has not replayed the new database yet
        return None

    wait_until(lambda: refusal() is not None, 60, "a refusal of the standby")
    assert "shop.what_if runs on the primary, and this server is a replica" in str(refusal())


@pytest.mark.soak
def test_reads_leave_a_standby_that_lags_and_return(
    own_database: Database,
    primary: TcpProxy,
    replica_port: int,
    server: Server,
    server_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standby, "EVERY_SECONDS", 0.1)
    with site(own_database, primary, replica_port, max_lag_seconds=2) as client:
        leaves_and_returns(client, server, server_home, replica_port, 2)


@pytest.mark.soak
def test_reads_leave_a_standby_within_the_default_limit_plus_5_seconds(
    own_database: Database, primary: TcpProxy, replica_port: int, server: Server, server_home: Path
) -> None:
    with site(own_database, primary, replica_port) as client:
        for _ in range(3):
            time.sleep(20)  # reads stay on a standby that does not lag
            leaves_and_returns(client, server, server_home, replica_port, SETTINGS.max_lag_seconds)
            assert client.delete("/products/written while the replay is paused").status_code in (200, 204)


def test_searches_of_a_standby_follow_rules_and_read_signals(
    own_database: Database, replica_port: int, server: Server, server_home: Path
) -> None:
    search = "select sku, rules from shop.search('bag', keyword_weight => 0, title_weight => 0)"
    pinned, best = [row[0] for row in admin(own_database, search)[8:]]
    admin(
        own_database,
        f"create view shop.margin as select product_id, case sku when '{best}' then 9 else 1 end as value "
        "from shop.product; select shop.add_signal('margin', 'shop.margin'); "
        "insert into shop.rule (name, condition, action, status) values "
        f"""('pin', '{{"query": "bag"}}', '{{"pin": "{pinned}", "at": 1}}', 'live'), """
        """('margin', '{"query": "bag"}', '{"signals": {"margin": 10}}', 'live')""",
    )
    [(written,)] = admin(own_database, "select pg_current_wal_insert_lsn()::text")
    address = server.url("postgres", secrets(server_home).superuser, "postgres")
    with psycopg.connect(address, port=replica_port, autocommit=True) as conn:
        behind = "select pg_last_wal_replay_lsn() < %s::pg_lsn"
        wait_until(lambda: conn.execute(behind, (written,)).fetchone() == (False,), 60, "a caught-up replica")
    url = own_database.url(Role.ANALYST).set(drivername="postgresql", port=replica_port)
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as conn:
        rules = ["pin", "margin"]
        assert conn.execute(search).fetchmany(2) == [(pinned, rules), (best, rules)]
        assert conn.execute("select name from shop.signal_state() where problem is not null").fetchall() == []


def test_without_the_primary_a_standby_answers_searches_and_writes_are_refused(
    own_database: Database, primary: TcpProxy, replica_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby, "EVERY_SECONDS", 0.1)
    put = {"products": [{"sku": "new", "title": "A new product"}]}
    [(product_id,)] = admin(own_database, "select shop.product_id('sku 1', 'main')")
    image = f"/images/{product_id}"
    with site(own_database, primary, replica_port) as client:
        for away in (primary.refuse, primary.silence):
            away()
            wait_until(lambda: not ready(client)["primary"], 30, "the end of the primary")
            state = ready(client)
            assert (state["status"], state["reads"], state["encoder"]) == ("ready", "standby", None)
            assert state["lag_seconds"] is None
            assert client.post("/search/text", json=SEARCH).json()["results"]
            assert client.get("/products/sku 1").status_code == 200
            assert client.get(image).status_code == 200
            primary.refuse()
            refused = client.put("/products", json=put)
            assert (refused.status_code, refused.json()["type"]) == (503, "urn:windowshop:problem:database-unavailable")
            degraded = client.post("/search/text", json={"query": "black shoes number7", "top_k": 3}).json()
            assert degraded["degraded"] and degraded["results"]
            primary.forward()
            wait_until(lambda: ready(client)["primary"], 30, "the primary")
            assert client.put("/products", json=put).status_code == 200
            assert ready(client)["encoder"]["running"] is False


@pytest.mark.soak
def test_ready_shows_the_encoder_only_while_a_search_on_the_standby_reaches_it(
    own_database: Database, primary: TcpProxy, replica_port: int
) -> None:
    with site(own_database, primary, replica_port) as client, answering(own_database):
        wait_until(lambda: (ready(client)["encoder"] or {}).get("running"), 30, "a running encoder")
        assert client.post("/search/text", json={"query": "asked on a standby"}).json()["degraded"] is False
        lead_gateway_to(own_database, 9)  # nothing listens there, so no search reaches the encoder

        def is_unreachable() -> bool:
            state = ready(client)
            return state["primary"] and state["encoder"] is None

        wait_until(is_unreachable, 30, "an encoder that the gateway does not reach")


@pytest.mark.soak
def test_a_search_for_a_new_text_works_on_a_read_replica(
    clip_database: Database, clip_folder: Path, replica_port: int, environment: Environment, tmp_path: Path
) -> None:
    from encoder.models.loading import load

    env = environment(clip_database)
    load_drawings(clip_database, tmp_path / "images", 30)
    with encoding(clip_database, {1: load(str(clip_folder))}):
        analyst = clip_database.url(Role.ANALYST).set(drivername="postgresql", port=replica_port)
        address = analyst.render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as conn:
            assert conn.execute("select pg_is_in_recovery()").fetchone() == (True,)
            count = "select count(*) from shop.searchable"
            wait_until(lambda: conn.execute(count).fetchone() == (30,), 60, "30 products on the replica")
            found = conn.execute(
                "select sku from shop.searchable order by image_embedding <=> "
                "(select shop.clip_text('never asked before')) limit 5"
            ).fetchall()
            assert len(found) == 5
            for search in (
                'select sku from shop.search(\'asked on the replica\', filter => \'{"sku": {"ne": "x"}}\', k => 5)',
                "select sku from shop.similar('p3', k => 5)",
                "select step from shop.explain_search('asked on the replica', sku => 'p3') limit 5",
                "select field from shop.facets(fields => array['product_type', 'price'])",
            ):
                assert conn.execute(search).fetchall(), search
        reading = {**env, "WINDOWSHOP_READ_DATABASE_URL": address}
        searched = windowshop_in_new_interpreter("search", "asked by the command line", env=reading)
        assert searched.returncode == 0, searched.stderr
        assert "thing" in searched.stdout


def test_the_primary_answers_while_its_synchronous_standby_does_not(database: Database, databases: Databases) -> None:
    async def beat() -> bool:
        pools = Pools(database, SETTINGS)
        try:
            await standby.Standbys(pools, 1).check()
        finally:
            await pools.close()
        return pools.primary_answers

    long_ago = "update shop_private.primary_heartbeat set beat_at = '2000-01-01'"
    for lost in (long_ago, "delete from shop_private.primary_heartbeat"):
        admin(database, lost)
        with databases.without_synchronous_standby():
            assert asyncio.run(beat())
        [(is_new,)] = admin(database, "select beat_at > '2001-01-01' from shop_private.primary_heartbeat")
        assert is_new


def test_reads_leave_a_promoted_standby_while_another_server_is_the_primary(
    database: Database, databases: Databases
) -> None:
    promoted = databases.copy(str(database.write.database))
    long_ago = "insert into shop_private.primary_heartbeat (beat_at) values ('2000-01-01')"
    admin(promoted, f"delete from shop_private.primary_heartbeat; {long_ago}")

    async def reads_on_primary(reads: Database) -> bool:
        pools = Pools(replace(database, read=reads.write), SETTINGS)
        try:
            watched = standby.Standbys(pools, 10)
            for _ in range(standby.CHECKS):
                await watched.check()
            return pools.reads_on_primary
        finally:
            await pools.close()

    assert asyncio.run(reads_on_primary(promoted))
    assert not asyncio.run(reads_on_primary(database))


def test_a_check_of_the_standby_that_fails_does_not_end_later_checks(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby, "EVERY_SECONDS", 0.01)

    async def lag_after_an_error() -> float | None:
        pools = Pools(database, SETTINGS)
        watched = standby.Standbys(pools, 1)
        failed = asyncio.Event()

        async def close() -> None:
            monkeypatch.undo()
            pools.readers[0].lag = None
            failed.set()
            raise RuntimeError("a fault that nobody foresaw")

        monkeypatch.setattr(pools, "close_readers_of_primary", close)
        watch = asyncio.ensure_future(watched.watch())
        try:
            await asyncio.wait_for(failed.wait(), 10)
            for _ in range(100):
                await asyncio.sleep(0.1)
                if watched.lag is not None or watch.done():
                    break
        finally:
            watch.cancel()
            await pools.close()
        return watched.lag

    assert asyncio.run(lag_after_an_error()) is not None
