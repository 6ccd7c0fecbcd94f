"""No login can stop, lock out or imitate another login. A table lists the attempts with the expected refusals."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from db.engine import Database
from db.errors import DatabaseError, DatabaseUnreachable, LoginRefused, SettingsError
from db.lifecycle import logins
from db.roles import LOGINS, Role
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from tests.support.shop import Shop

ROOT = Path(__file__).parents[2]
DENIED = "permission denied"
PROCESSES = list(LOGINS)

# An attempt has a role, a statement and the expected refusal.
ATTEMPTS = [
    *[(role, f"alter role shop_{other} password 'mine'", DENIED) for role in PROCESSES for other in Role
      if other is not role],
    *[(role, f"alter role shop_{other} set statement_timeout = 0", DENIED) for role in PROCESSES for other in Role
      if other is not role],
    *[(role, f"alter role shop_{role} connection limit 1000", DENIED) for role in PROCESSES],
    *[(role, f"alter role shop_{role} set temp_file_limit = -1", DENIED) for role in PROCESSES],
    *[(role, f"alter role shop_{role} superuser", DENIED) for role in PROCESSES],
    *[(role, "set temp_file_limit = -1", DENIED) for role in PROCESSES],
    *[(role, "set session authorization shop_owner", DENIED) for role in PROCESSES],
    *[(role, "create role mine login", DENIED) for role in PROCESSES],
    *[(role, "drop role shop_web_reader", DENIED) for role in PROCESSES],
    (Role.ANALYST, "grant shop_analyst to shop_gateway", DENIED),
    (Role.ANALYST, "grant shop_web_reader to shop_cli", DENIED),
    (Role.ANALYST, "grant shop_cli to shop_gateway", DENIED),
    (Role.APP, "grant shop_app to shop_cli", DENIED),
    (Role.ANALYST, "alter role all set statement_timeout = 0", "must be superuser|permission denied"),
    (Role.ANALYST, "alter system set statement_timeout = 0", DENIED),
    (Role.ANALYST, "alter database {database} set statement_timeout = 0", "must be owner"),
    (Role.ANALYST, "alter server shop_primary options (set port '1')", "must be owner"),
    (Role.ANALYST, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'shop_web_reader'", DENIED),
    (Role.APP, "select pg_cancel_backend(pid) from pg_stat_activity where usename = 'shop_web_reader'", DENIED),
]  # fmt: skip


def test_every_attempt_of_a_login_to_change_another_login_or_its_own_limits_is_refused(shop: "Shop") -> None:
    web = shop.connect(Role.WEB_READER)  # some attempts try to end this session
    connections = {role: shop.connect(role) for role in {role for role, _, _ in ATTEMPTS}}
    for conn in connections.values():
        # Without this setting, PostgreSQL would refuse the statements because the transaction is read-only, and not
        # because a privilege is missing.
        conn.exec_driver_sql("set default_transaction_read_only = off")
    name = shop.database.write.database
    passed = []
    for role, statement, refusal in ATTEMPTS:
        try:
            connections[role].exec_driver_sql(statement.format(database=name))
            passed.append((role, statement))
        except DatabaseError as error:
            if not re.search(refusal, error.message):
                passed.append((role, error.message))
    assert passed == []
    assert web.exec_driver_sql("select 1").scalar() == 1


@pytest.mark.parametrize("role", [Role.ANALYST, Role.APP, Role.OWNER])
def test_no_one_can_log_in_as_a_group(shop: "Shop", role: Role) -> None:
    assert shop.value("select rolcanlogin from pg_roles where rolname = :name", name=f"shop_{role}") is False


def test_only_two_checks_and_migrations_run_set_role() -> None:
    """The migrations and the check of the gateway act as the owner, and the check of the signals acts as app. A
    migration renews the function of each signal as the role that defined the signal, and then becomes the owner again.
    A check changes its role for one transaction only, because a pooler would hand a changed role to another client."""
    files = [path for folder in ("db", "encoder", "loader", "web", "windowshop") for path in (ROOT / folder).rglob("*")]
    found = {
        path.relative_to(ROOT).as_posix(): len(re.findall(r"set (?:local |session )?role|-c role=", path.read_text()))
        for path in files
        if path.suffix in (".py", ".sql")
    }
    assert {file: uses for file, uses in found.items() if uses} == {
        "db/functions/ranking/signals/renew_signals.sql": 2,
        "db/lifecycle/gateway.py": 1,
        "db/site_status/schema_checks.py": 1,
    }


@pytest.fixture
def people(shop: "Shop") -> Iterator[list[str]]:
    """Yields an empty list for the names of people's logins. After the test, the fixture drops the logins in the
    list."""
    names: list[str] = []
    yield names
    for name in names:
        shop.run(f"drop role if exists {name}")


def test_rules_that_no_longer_hold_for_a_login_are_reported_and_repair_sets_them_again(
    shop: "Shop", people: list[str]
) -> None:
    roles, admin = shop.database.roles, shop.connect(None)
    people.append("anna")
    password = logins.add(admin, roles, "anna", Role.ANALYST, 2)
    assert logins.faults(admin, roles) == []
    url = shop.database.write.set(drivername="postgresql", username="anna", password=password)
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as conn:
        conn.execute("set default_transaction_read_only = off")
        conn.execute("alter role anna reset all")
        conn.execute("alter role anna set statement_timeout = 0")
        conn.execute(f"alter role anna in database {url.database} set statement_timeout = 0")
    shop.run("alter role shop_web_reader connection limit -1")
    faults = logins.faults(admin, roles)
    assert "anna has statement_timeout 0, not 60s" in faults
    assert "anna has default_transaction_read_only unset, not on" in faults
    assert "anna has statement_timeout 0 in this database" in faults
    assert "shop_web_reader has no connection limit" in faults
    assert not [fault for fault in faults if "temp_file_limit" in fault]  # only a superuser can reset it
    logins.repair(admin, roles)
    assert logins.faults(admin, roles) == []


def test_a_login_that_takes_the_rights_of_a_group_by_set_role_follows_the_rules_of_the_group(
    shop: "Shop", people: list[str]
) -> None:
    roles, admin = shop.database.roles, shop.connect(None)
    people.append("dora")
    shop.run("create role dora login; grant shop_analyst to dora with inherit false, set true")
    assert {"dora has no connection limit", "dora has statement_timeout unset, not 60s"} <= set(
        logins.faults(admin, roles)
    )
    logins.repair(admin, roles)
    assert logins.faults(admin, roles) == []
    assert logins.budget(admin, roles).people == {"dora": logins.PERSONAL_CONNECTIONS}


def test_a_shared_login_and_a_borrowed_login_and_too_many_connections_are_faults(
    shop: "Shop", people: list[str]
) -> None:
    roles, admin = shop.database.roles, shop.connect(None)
    limit = shop.value("select rolconnlimit from pg_roles where rolname = 'shop_gateway'")
    people.append("bert")
    shop.run("create role bert login connection limit 1; grant shop_web_writer to bert")
    shop.run("alter role shop_analyst login; alter role shop_gateway connection limit 500")
    try:
        faults = "\n".join(logins.faults(admin, roles))
    finally:
        shop.run(f"alter role shop_analyst nologin; alter role shop_gateway connection limit {limit}")
    assert "shop_analyst may log in" in faults
    assert "bert is a member of the login shop_web_writer" in faults
    budget = logins.budget(admin, roles)
    assert f"{budget.taken + 500 - limit} connections, and the server has {budget.usable}" in faults


def test_a_person_gets_no_more_connections_than_the_budget_leaves(shop: "Shop", people: list[str]) -> None:
    roles, admin = shop.database.roles, shop.connect(None)
    budget = logins.budget(admin, roles)
    left = budget.usable - budget.taken
    assert left >= 5
    with pytest.raises(SettingsError, match=f"the server has {left} of its {budget.usable} connections left"):
        logins.add(admin, roles, "carl", Role.ANALYST, left + 1)
    people.append("carl")
    logins.add(admin, roles, "carl", Role.ANALYST, left)
    full = logins.budget(admin, roles)
    assert full.taken == full.usable
    assert full.people["carl"] == left
    logins.drop(admin, roles, "carl")
    with pytest.raises(SettingsError, match="not the login of a person"):
        logins.drop(admin, roles, "shop_web_reader")


def test_idle_sessions_of_a_person_leave_connections_for_the_web_service(shop: "Shop", people: list[str]) -> None:
    admin = shop.connect(None)
    people.append("dora")
    password = logins.add(admin, shop.database.roles, "dora", Role.ANALYST, 3)
    url = shop.database.write.set(username="dora", password=password)
    with ExitStack() as stack:
        engine = Database(url, url, shop.database.roles).engine(Role.ANALYST)
        for _ in range(3):
            stack.enter_context(engine.connect())
        with pytest.raises(DatabaseUnreachable, match='too many connections for role "dora"') as refused:
            engine.connect()
        assert "windowshop db check" in (refused.value.hint or "")
        web = shop.connect(Role.WEB_READER)
        assert web.exec_driver_sql("select count(*) from shop.product").scalar() == 0


def test_the_gateway_sets_an_idle_timeout_of_ten_seconds(shop: "Shop") -> None:
    options = shop.value("select srvoptions::text from pg_foreign_server where srvname = 'shop_primary'")
    assert "idle_session_timeout=10s" in options


def test_an_idle_analyst_keeps_no_loopback_connection_and_a_later_query_opens_another(shop: "Shop") -> None:
    find = "select option_value from pg_foreign_server, pg_options_to_table(srvoptions) where option_name = 'options'"
    options = shop.value(find)
    change = "alter server shop_primary options (set options '{}')"
    shop.run(change.format(options.replace("=10s", "=100ms")))
    open_ = "select count(*) from pg_stat_activity where usename = 'shop_gateway' and datname = current_database()"
    analyst = shop.connect(Role.ANALYST)
    try:
        with shop.encoder():
            for text in ("one", "two"):
                assert analyst.exec_driver_sql(f"select shop.clip_text('{text}') is not null").scalar() is True
                wait_until(lambda: shop.value(open_) == 0, 30, "the loopback connection to close")
    finally:
        shop.run(change.format(options))


@pytest.mark.parametrize(
    ("login", "role", "refusal"),
    [
        (None, Role.WEB_READER, "postgres is an administrator"),
        (None, Role.ANALYST, "postgres is an administrator"),
        (Role.WEB_WRITER, Role.WEB_READER, "the login shop_web_writer does not have the rights of shop_analyst"),
        (Role.WEB_READER, Role.WEB_WRITER, "the login shop_web_reader does not have the rights of shop_app"),
        (Role.ENCODER, Role.APP, "the login shop_encoder does not have the rights of shop_app"),
        (Role.LOADER, Role.ENCODER, "the login shop_loader does not have the rights of shop_encoder"),
        (Role.GATEWAY, Role.ANALYST, "the login shop_gateway does not have the rights of shop_analyst"),
        (Role.LOADER, Role.ANALYST, None),
        (Role.WEB_READER, Role.WEB_READER, None),
    ],
)
def test_a_process_with_a_wrong_login_is_refused_with_the_setting_to_change(
    shop: "Shop", login: Role | None, role: Role, refusal: str | None
) -> None:
    url = shop.database.url(login)
    database = Database(url, url, shop.database.roles)
    if refusal is None:
        with database.connect(role) as conn:
            assert conn.exec_driver_sql("select current_user").scalar() == url.username
        return
    with pytest.raises(LoginRefused, match=refusal) as refused, database.connect(role):
        pass
    hint = refused.value.hint or ""
    assert f"shop_{role.login}" in hint
    assert ("WINDOWSHOP_READ_DATABASE_URL" in hint) == (role is Role.WEB_READER)


def test_the_error_of_a_home_without_logins_names_the_command_that_creates_them(shop: "Shop") -> None:
    url = shop.database.write
    earlier = Database(url, url, shop.database.roles, lambda _: "a password that no login has")
    with pytest.raises(LoginRefused, match='password authentication failed for user "shop_cli"') as refused:
        earlier.connect(Role.ANALYST).__enter__()
    assert "windowshop db upgrade" in (refused.value.hint or "")
