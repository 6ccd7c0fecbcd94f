"""A survey of a site reports each fault with its level, its cause and its fix."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from db import schema
from db.embedded.server import Server
from db.engine import Database
from db.roles import Role
from db.settings import Settings
from db.site_status.finding import Finding, Level, worst
from db.site_status.settings import StatusSettings
from db.site_status.survey import ACTIVITY_CHECKS, SCHEMA_CHECKS, survey
from tests.support.databases import Databases, admin
from tests.support.processes import windowshop_in_new_interpreter
from tests.support.servers.replica import streaming_replica
from tests.support.shop import Shop

pytestmark = pytest.mark.deploy
Environment = Callable[..., dict[str, str]]
THRESHOLDS = StatusSettings()


def settings_of(database: Database, home: Path, read_port: int | None = None) -> Settings:
    address = database.url(None).set(drivername="postgresql")
    reading = None if read_port is None else address.set(port=read_port).render_as_string(hide_password=False)
    return Settings(
        home=home,
        database_url=address.render_as_string(hide_password=False),  # type: ignore[arg-type]
        read_database_url=reading,  # type: ignore[arg-type]
        role_prefix=database.roles.prefix,
    )


def faults(database: Database, home: Path, **changed: float) -> list[Finding]:
    found = survey(settings_of(database, home), THRESHOLDS.model_copy(update=changed))
    return [finding for finding in found if finding.level is not Level.FINE]


def the_fault(database: Database, home: Path, **changed: float) -> Finding:
    """Returns the only fault, which must have a fix."""
    [found] = faults(database, home, **changed)
    assert found.fix
    return found


@pytest.fixture
def fine(shop: Shop) -> Iterator[Shop]:
    """Yields a shop without faults. An encoder runs."""
    shop.add("a", "b")
    shop.encode_all()
    with shop.encoder():
        yield shop


@contextmanager
def faulty(shop: Shop, fault: str, repair: str) -> Iterator[None]:
    shop.run(fault)
    try:
        yield
    finally:
        shop.run(repair)


def test_a_site_without_faults_is_fine(fine: Shop, tmp_path: Path) -> None:
    found = survey(settings_of(fine.database, tmp_path), THRESHOLDS, probe=True)
    assert worst(found) is Level.FINE, found
    assert "found 2 products" in found[-1].message
    assert fine.value("select count(*) from shop_private.query_embedding") == 0  # the probe leaves nothing


def test_a_gateway_that_leads_to_another_database_is_broken(
    fine: Shop, databases: Databases, tmp_path: Path, toy_template: tuple[str, Path]
) -> None:
    copy = databases.open(databases.create(toy_template[0]))
    found = {finding.check: finding for finding in faults(copy, tmp_path)}
    assert found.keys() == {"gateway", "settings", "encoder"}  # the copy has no database settings and no encoder
    assert found["gateway"].level is Level.BROKEN
    assert "is a copy" in found["gateway"].message
    assert found["gateway"].since is not None  # since the copy was made
    assert found["gateway"].fix == "windowshop db upgrade"


def test_a_gateway_that_cannot_connect_is_broken(fine: Shop, tmp_path: Path) -> None:
    port = fine.value("select current_setting('port')")
    entry = "alter server shop_primary options (set port '{}')"
    with faulty(fine, entry.format(9), entry.format(port)):
        found = the_fault(fine.database, tmp_path)
    assert (found.check, found.level) == ("gateway", Level.BROKEN)
    assert "cannot log in to itself" in found.message
    assert "WINDOWSHOP_GATEWAY_HOST" in str(found.fix)


def test_a_gateway_that_may_not_log_in_is_reported(fine: Shop, tmp_path: Path) -> None:
    limit = fine.value("select rolconnlimit from pg_roles where rolname = 'shop_gateway'")
    alter = "alter role shop_gateway connection limit {}"
    with faulty(fine, alter.format(0), alter.format(limit)):
        found = {finding.check: finding for finding in faults(fine.database, tmp_path)}
    assert "too many connections" in found["gateway"].message


def test_lost_settings_of_the_database_are_reported(fine: Shop, tmp_path: Path) -> None:
    name = fine.database.write.database
    reset = f"alter database {name} reset hnsw.iterative_scan"
    with faulty(fine, reset, f"alter database {name} set hnsw.iterative_scan = 'relaxed_order'"):
        found = the_fault(fine.database, tmp_path)
    assert (found.check, found.level, found.fix) == ("settings", Level.WARNING, "windowshop db upgrade")
    assert "has lost hnsw.iterative_scan," in found.message


def test_a_missing_role_is_reported(fine: Shop, tmp_path: Path) -> None:
    with faulty(fine, "alter role shop_loader rename to shop_gone", "alter role shop_gone rename to shop_loader"):
        found = [finding for finding in faults(fine.database, tmp_path) if finding.check == "roles"]
    [(level, message, fix)] = [(finding.level, finding.message, finding.fix) for finding in found]
    assert (level, message, fix) == (Level.BROKEN, "missing: shop_loader", "windowshop db upgrade")


def test_dblink_that_everybody_may_use_is_broken(fine: Shop, tmp_path: Path) -> None:
    rights = "execute on all functions in schema shop_dblink"
    with faulty(fine, f"grant {rights} to public", f"revoke {rights} from public"):
        found = the_fault(fine.database, tmp_path)
    assert (found.check, found.level) == ("dblink", Level.BROKEN)
    assert f"revoke {rights} from public" in str(found.fix)


def test_a_schema_older_than_the_code_is_broken(fine: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "HEAD", "9999")
        found = the_fault(fine.database, tmp_path)
    assert (found.check, found.level, found.fix) == ("schema", Level.BROKEN, "windowshop db upgrade")
    assert "this code needs 9999" in found.message


def test_a_database_without_a_schema_is_broken(databases: Databases, tmp_path: Path) -> None:
    [found] = [one for one in faults(databases.open(databases.create()), tmp_path) if one.check == "schema"]
    assert (found.level, found.fix) == (Level.BROKEN, "windowshop db upgrade")


def test_an_extension_older_than_the_server_can_install_is_reported(fine: Shop, tmp_path: Path) -> None:
    """The server can install version 1.1 of pg_prewarm, and a newer version."""
    fine.run("drop extension pg_prewarm")
    fine.run("create extension pg_prewarm version '1.1'")
    found = the_fault(fine.database, tmp_path)
    assert (found.check, found.level) == ("extensions", Level.WARNING)
    assert "pg_prewarm 1.1, while the server has 1.2" in found.message
    fine.run(str(found.fix).rpartition(": ")[2])
    assert faults(fine.database, tmp_path) == []


def test_an_extension_newer_than_the_server_can_install_is_fine(fine: Shop, tmp_path: Path) -> None:
    # An administrator who installs older packages of the server causes the same state.
    fine.run("update pg_extension set extversion = '99.0' where extname = 'vector'")
    assert faults(fine.database, tmp_path) == []


@pytest.mark.parametrize(
    ("name", "fix"), [("planted", "reindex"), ("planted_ccnew", "drop"), ("planted_ccold1", "drop")]
)
def test_an_invalid_index_is_reported(fine: Shop, tmp_path: Path, name: str, fix: str) -> None:
    """A concurrent build of a unique index leaves an INVALID index if the rows are not unique. The fix is a REINDEX. A
    failed REINDEX CONCURRENTLY leaves an index whose name ends in _ccnew or _ccold. The fix is then a DROP."""
    fine.add("c", "d")
    fine.run("update shop.product set brand = 'same'")
    with pytest.raises(Exception, match="could not create unique index"):
        fine.run(f"create unique index concurrently {name} on shop.product (brand)")
    try:
        found = [one for one in faults(fine.database, tmp_path) if one.check == "indexes"]
    finally:
        fine.run(f"drop index shop.{name}")
    assert [(one.level, one.message, one.fix) for one in found] == [
        (
            Level.WARNING,
            f"INVALID, so no search uses them: shop.{name}",
            f"SQL: {fix} index concurrently shop.{name}",
        )
    ]


def test_a_late_standby_and_a_promoted_copy_are_reported(
    server: Server, server_home: Path, public_folder: Path, fine: Shop, tmp_path: Path
) -> None:
    with streaming_replica(server, server_home, public_folder / "late") as port:
        database = fine.database
        standby = Database(database.write, database.write.set(port=port), database.roles)

        def late(read_port: int | None) -> list[Finding]:
            found = survey(settings_of(database, tmp_path, read_port), THRESHOLDS.model_copy(update={"lag_seconds": 1}))
            return [finding for finding in found if finding.level is not Level.FINE]

        fine.add("replayed")
        fine.encode_all()
        assert late(port) == []
        with standby.connect(None, read=True) as conn, conn.begin():
            conn.execute(text("select pg_wal_replay_pause()"))
        fine.add("new")
        fine.encode_all()
        for read_port in (port, None):
            [found] = late(read_port)
            assert (found.check, found.level) == ("standby", Level.WARNING)
            assert "more than 1 seconds behind the primary" in found.message
            assert found.fix == "docs/runbooks/ReplicaLate.md"
            assert (found.since is not None) == (read_port is not None)
        with standby.connect(None, read=True) as conn, conn.begin():
            conn.execute(text("select pg_wal_replay_resume()"))
        assert [one for one in survey(settings_of(database, tmp_path, port), THRESHOLDS) if one.level] == []

        # A promoted copy has the same database identity as the original, and its foreign server names this identity.
        # So the identities do not show that the gateway still leads to the original. Only a connection shows this.
        copy = Database(standby.read, standby.read, database.roles)
        admin(copy, "select pg_promote()")
        found = next(finding for finding in faults(copy, tmp_path) if finding.check == "gateway")
        assert (found.level, found.fix) == (Level.BROKEN, "windowshop db adopt")
        assert "of another server" in found.message


def test_a_stopped_encoder_is_reported(shop: Shop, tmp_path: Path) -> None:
    shop.add("a")
    shop.encode_all()
    with shop.encoder():
        pass
    found = the_fault(shop.database, tmp_path)
    assert (found.check, found.level) == ("encoder", Level.BROKEN)
    assert found.since is not None
    assert str(found.fix).startswith("windowshop encode;")


def test_quarantined_items_are_reported(fine: Shop, tmp_path: Path) -> None:
    fine.add("c")
    worker = fine.worker()
    [item] = worker.claim()
    worker.fail(item, final=True)
    worker.complete(worker.claim("image"), "image")
    found = the_fault(fine.database, tmp_path, quarantined=0)
    assert (found.check, found.level) == ("quarantine", Level.WARNING)
    assert found.message.startswith("1 titles and images")
    assert found.since is not None
    assert "windowshop retry" in str(found.fix)
    assert faults(fine.database, tmp_path) == []  # one item is below the default threshold


def test_webhooks_that_are_disabled_or_whose_last_attempt_failed_are_reported(fine: Shop, tmp_path: Path) -> None:
    fine.run(
        "insert into shop_private.webhook (name, url, kinds, secret) "
        "select name, 'https://a.example', '{searchable}', 's' from unnest('{erp,feed}'::text[]) name"
    )
    fine.run(
        "insert into shop_private.webhook_message (message_id, webhook_id, body) "
        "select 'm' || n, webhook_id, '{}' from generate_series(1, 3) n, shop_private.webhook where name = 'feed'"
    )
    assert faults(fine.database, tmp_path) == []  # nothing has failed
    fine.run("update shop_private.webhook set error = 'the receiver answers 500' where name = 'feed'")
    found = the_fault(fine.database, tmp_path)
    assert (found.check, found.level) == ("webhooks", Level.WARNING)
    assert found.message == "3 messages wait; the last attempt for feed failed: the receiver answers 500"
    fine.run("update shop_private.webhook set error = 'gone', disabled_at = now() where name = 'erp'")
    found = the_fault(fine.database, tmp_path)
    assert found.message == "1 of 2 are disabled, first erp: gone; 3 messages wait"
    assert (found.fix, found.since is None) == ("windowshop webhook test erp", False)


def test_work_that_waits_too_long_is_reported(fine: Shop, tmp_path: Path) -> None:
    fine.add("c")
    assert faults(fine.database, tmp_path) == []
    found = the_fault(fine.database, tmp_path, work_seconds=0)
    assert (found.check, found.level, found.fix) == ("work", Level.WARNING, "docs/runbooks/EncodingLate.md")
    assert found.since is not None


def test_an_old_transaction_is_reported(fine: Shop, tmp_path: Path) -> None:
    with fine.database.connect(Role.ANALYST) as conn:
        pid = conn.scalar(text("select pg_backend_pid()"))
        found = the_fault(fine.database, tmp_path, transaction_seconds=0)
    assert (found.check, found.level) == ("transactions", Level.WARNING)
    assert f"process {pid} of shop_cli (idle in transaction)" in found.message
    assert f"pg_terminate_backend({pid})" in str(found.fix)
    assert found.since is not None


def test_a_probe_without_an_answer_is_broken(shop: Shop, tmp_path: Path) -> None:
    with shop.encoder(answers=False):
        found = survey(
            settings_of(shop.database, tmp_path), THRESHOLDS.model_copy(update={"probe_ms": 200}), probe=True
        )
    assert (found[-1].check, found[-1].level) == ("probe", Level.BROKEN)
    assert "did not answer within 200 ms" in found[-1].message


def test_a_server_that_does_not_answer_is_broken(shop: Shop, tmp_path: Path) -> None:
    nowhere = shop.database.url(None).set(drivername="postgresql", port=9).render_as_string(hide_password=False)
    [found] = survey(Settings(home=tmp_path, database_url=nowhere), THRESHOLDS)  # type: ignore[arg-type]
    assert (found.check, found.level) == ("database", Level.BROKEN)
    assert "no database answers" in found.message


def test_checks_that_a_login_may_not_make_are_reported_as_warnings(fine: Shop, tmp_path: Path) -> None:
    address = fine.database.url(Role.WEB_READER).set(drivername="postgresql").render_as_string(hide_password=False)
    found = survey(Settings(home=tmp_path, database_url=address), THRESHOLDS)  # type: ignore[arg-type]
    told = [one for one in found if one.level is not Level.FINE]
    hidden = [one for one in told if one.fix == "SQL: grant pg_monitor to shop_web_reader"]
    assert [one.check for one in hidden] == ["transactions", "connections", "standby"]
    assert len(told) > len(hidden)
    for one in told:
        if one in hidden:
            assert "may not see the sessions of other logins" in one.message
            continue
        assert one.level is Level.WARNING, one
        assert "could not be checked: permission denied" in one.message
        assert "administrator" in str(one.fix)

    with faulty(fine, str(hidden[0].fix).partition(": ")[2], "revoke pg_monitor from shop_web_reader"):
        found = survey(Settings(home=tmp_path, database_url=address), THRESHOLDS)  # type: ignore[arg-type]
    assert {one.level for one in found if one.check in {fault.check for fault in hidden}} == {Level.FINE}


def test_the_command_prints_a_line_for_each_check_and_exits_with_the_worst_level(
    fine: Shop, environment: Environment
) -> None:
    env = environment(fine.database)
    done = windowshop_in_new_interpreter("status", "--json", "--probe", env=env)
    shown = json.loads(done.stdout)
    assert (done.returncode, shown["state"]) == (0, "fine"), done.stdout
    assert {check["check"] for check in shown["checks"]} >= {*SCHEMA_CHECKS, *ACTIVITY_CHECKS, "standby", "probe"}
    with fine.database.connect(Role.ANALYST) as conn:
        conn.execute(text("select 1"))
        late = windowshop_in_new_interpreter("status", env={**env, "WINDOWSHOP_STATUS_TRANSACTION_SECONDS": "0"})
    assert late.returncode == 1, late.stdout
    first, *others = late.stdout.splitlines()
    assert re.fullmatch(r"warning +transactions +process .* \| since \d{4}-.* \| SQL: .* docs/runbooks/.*", first)
    assert len(others) == len(shown["checks"]) - 2
    assert all(line.startswith("fine ") for line in others)

    done = windowshop_in_new_interpreter(
        "status", "--json", env={**env, "WINDOWSHOP_DATABASE_URL": "postgresql://x@127.0.0.1:9/shop"}
    )
    [check] = json.loads(done.stdout)["checks"]
    assert (done.returncode, check["state"]) == (2, "broken")


def test_every_runbook_that_a_fix_names_exists() -> None:
    root = Path(__file__).parents[3]
    source = "".join(path.read_text() for path in sorted((root / "db" / "site_status").glob("*.py")))
    names = set(re.findall(r"runbook\(['\"](\w+)", source))
    assert len(names) > 5
    assert {name for name in names if not (root / "docs" / "runbooks" / f"{name}.md").is_file()} == set()
