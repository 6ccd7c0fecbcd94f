"""During an incident, the checks of a site still finish and report what is true. The incidents are: a synchronous
standby does not answer, the query cache is locked, the read address leads to a promoted server, and a query fails at
the gateway."""

from threading import Thread

import pytest
from sqlalchemy import text

from db.errors import DatabaseError
from db.lifecycle import gateway
from db.site_status import probe
from db.site_status.finding import Finding, Level
from db.site_status.settings import StatusSettings
from db.site_status.standby_checks import _behind
from tests.support.databases import ROLES, Databases
from tests.support.shop import Shop


def probed(shop: Shop, most_ms: int) -> Finding:
    """Returns the finding of a probe. Fails if the probe does not end."""
    found: list[Finding] = []
    thread = Thread(
        target=lambda: found.append(probe.probe(shop.database, StatusSettings(probe_ms=most_ms))), daemon=True
    )
    thread.start()
    thread.join(20)
    [finding] = found
    return finding


def test_a_probe_ends_while_a_synchronous_standby_does_not_answer(
    shop: Shop, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.add("a")
    shop.encode_all()
    monkeypatch.setattr(probe.secrets, "token_hex", lambda _: "0" * 16)
    # No encoder runs here, so the test itself stores the vector of the probe, before the outage. During the outage, an
    # encoder could still store the vector, because its commit does not wait for the standby.
    shop.cache(f"windowshop status {'0' * 16}")
    with databases.without_synchronous_standby():
        assert probed(shop, 5_000).level is Level.FINE
        assert shop.value("select count(*) from shop_private.query_embedding") == 0


def test_a_probe_ends_while_the_query_cache_is_locked(shop: Shop) -> None:
    with shop.database.connect(None) as conn:
        conn.execute(text("lock table shop_private.query_embedding in share row exclusive mode"))
        assert probed(shop, 200).level is Level.BROKEN


def test_a_read_address_that_leads_to_a_promoted_server_during_the_check_is_not_late(shop: Shop) -> None:
    """While the check waits for the standbys, a pooler can switch the read address to a server that was promoted and
    then started again. Such a server has no last replayed position."""
    with shop.database.connect(None) as primary, shop.database.connect(None, read=True) as reader:
        written = primary.scalar(text("select pg_current_wal_lsn()::text"))
        assert _behind(primary, {"db2": reader}, written) == []


def test_a_query_that_fails_at_the_gateway_is_reported_and_leaves_no_connection(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop.database.connect(None) as conn:
        schema = gateway.dblink_schema(conn)
        with monkeypatch.context() as patch:
            patch.setattr(gateway, "_END", "select 1 / 0, now()")
            with pytest.raises(DatabaseError, match="division by zero"):
                gateway.reach(conn, ROLES)
        assert conn.scalar(text(f"select {schema}.dblink_get_connections()")) is None
        assert gateway.reach(conn, ROLES) == gateway.own_end(conn)
        assert conn.scalar(text("select current_user")) == "postgres"
