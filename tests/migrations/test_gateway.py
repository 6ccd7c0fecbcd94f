"""The gateway works in copies of a database, for an owner without superuser rights, and on a server that hosts several
sites."""

from pathlib import Path

import pytest

from db.engine import Database
from db.errors import DatabaseError, EncoderUnavailable, MissingExtension, SettingsError
from db.lifecycle.serving import serve_model
from db.roles import Role
from db.settings import Settings
from migrations.model_revisions import add_model
from migrations.upgrade import downgrade, drift, upgrade
from tests.migrations.conftest import Tenants
from tests.support.databases import Databases, admin
from tests.support.schema_objects import leftovers
from tests.support.shop import TOY


def server_entry(database: Database) -> str:
    return str(admin(database, "select srvoptions from pg_foreign_server where srvname = 'shop_primary'"))


def test_an_upgrade_of_a_copied_database_connects_its_gateway_to_the_copy(
    databases: Databases, template: str, settings: Settings
) -> None:
    copied = databases.open(databases.create(template))
    name = str(copied.write.database)
    assert f"dbname={template}'" in server_entry(copied)
    setting = (
        "select setconfig from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase "
        "where datname = current_database() and setrole = 0"
    )
    assert admin(copied, setting) == []  # the settings of a database are not copied
    upgrade(copied, settings)
    assert f"dbname={name}'" in server_entry(copied)
    assert admin(copied, setting) == [(["hnsw.iterative_scan=relaxed_order", "hnsw.ef_search=100"],)]


def test_an_upgrade_fails_when_the_gateway_cannot_be_reached(empty: Database, settings: Settings) -> None:
    wrong = settings.model_copy(update={"gateway_host": "127.0.0.1", "gateway_port": 1})
    with pytest.raises(DatabaseError, match=r"cannot log in to itself as the gateway.*refused") as raised:
        upgrade(empty, wrong)
    assert "WINDOWSHOP_GATEWAY_HOST" in (raised.value.hint or "")
    upgrade(empty, settings)  # with the right address, the upgrade succeeds


@pytest.mark.deploy
def test_an_upgrade_keeps_the_tls_of_the_gateway_unless_the_setting_is_given(
    database: Database, settings: Settings
) -> None:
    admin(database, "alter server shop_primary options (add sslmode 'allow', add sslrootcert '/own.crt')")
    upgrade(database, settings)
    assert "sslmode=allow" in server_entry(database) and "sslrootcert=/own.crt" in server_entry(database)
    given = settings.model_copy(update={"gateway_sslrootcert": "/given.crt"})
    with pytest.raises(DatabaseError, match="cannot log in to itself as the gateway"):  # the server has no TLS
        upgrade(database, given)
    assert "sslmode=verify-full" in server_entry(database) and "sslrootcert=/given.crt" in server_entry(database)
    admin(database, "alter server shop_primary options (drop sslmode, drop sslrootcert)")
    upgrade(database, settings)
    assert "ssl" not in server_entry(database)


# --- several sites on one server, and a site's owner without superuser rights


@pytest.mark.deploy
def test_an_owner_without_superuser_rights_can_upgrade_after_the_commands_in_the_hint(
    tenants: Tenants, managed_database: Database, settings: Settings
) -> None:
    name = str(managed_database.write.database)
    with pytest.raises(MissingExtension, match="lacks the extension vector") as raised:
        upgrade(managed_database, settings)
    commands = (raised.value.hint or "").split("\n", 1)[1]
    assert "create extension if not exists dblink" in commands
    tenants.admin("create extension vector", name)
    with pytest.raises(MissingExtension, match="lacks the extension dblink"):
        upgrade(managed_database, settings)
    tenants.admin(commands, name)

    upgrade(managed_database, settings)
    upgrade(managed_database, settings)
    drift(managed_database, settings)
    add_model(managed_database, settings, TOY)
    serve_model(managed_database, "toy")
    with managed_database.connect(Role.ANALYST) as conn:
        assert conn.exec_driver_sql("select current_user").scalar() == "managed_cli"
        # The gateway raises this error, so the session has reached the gateway.
        with pytest.raises(EncoderUnavailable, match="no encoder is connected"):
            conn.exec_driver_sql("select shop.clip_text('a')")
    with managed_database.connect(Role.ANALYST) as conn:
        assert conn.exec_driver_sql("select count(*) from shop.coverage").scalar() == 0
    with managed_database.connect(Role.ENCODER) as conn:
        assert conn.exec_driver_sql("select count(*) from shop_private.work_backlog('{1}')").scalar() == 1
    downgrade(managed_database, settings, "base")
    assert leftovers(managed_database) == []


def test_an_owner_without_rights_on_dblink_gets_an_error_with_the_grant_commands(
    tenants: Tenants, managed_database: Database, settings: Settings
) -> None:
    tenants.admin(
        "create extension vector; create schema shop_dblink; create extension dblink schema shop_dblink; "
        "revoke execute on all functions in schema shop_dblink from public",
        str(managed_database.write.database),
    )
    with pytest.raises(DatabaseError, match="managed_admin may not grant other roles the use of dblink") as raised:
        upgrade(managed_database, settings)
    assert "grant usage on foreign data wrapper dblink_fdw to managed_admin" in (raised.value.hint or "")


def test_an_owner_without_createrole_gets_an_error_that_names_the_missing_right(
    tenants: Tenants, managed_database: Database, settings: Settings
) -> None:
    with pytest.raises(MissingExtension) as raised:
        upgrade(managed_database, settings)
    commands = (raised.value.hint or "").split("\n", 1)[1]
    tenants.admin(commands, str(managed_database.write.database))
    tenants.admin("alter role managed_admin nocreaterole")
    with pytest.raises(DatabaseError, match=r"create role|CREATEROLE|permission denied"):
        upgrade(managed_database, settings)


@pytest.mark.parametrize("login", [None, "managed_admin"])
def test_an_upgrade_refuses_dblink_functions_that_public_may_execute(
    tenants: Tenants, managed_database: Database, settings: Settings, login: str | None
) -> None:
    database = managed_database if login else tenants.database("managed_")
    name = str(database.write.database)
    tenants.admin("create extension vector; create extension dblink schema public", name)
    with pytest.raises(DatabaseError, match="PUBLIC may execute dblink's functions in schema public") as raised:
        upgrade(database, settings)
    assert "revoke execute on all functions in schema public from public" in (raised.value.hint or "")
    assert admin(database, "select to_regclass('shop_private.alembic_version')") == [(None,)]


@pytest.mark.deploy
def test_dblink_may_be_installed_in_a_schema_with_an_odd_name(tenants: Tenants, settings: Settings) -> None:
    database = tenants.database("tenant_")
    tenants.admin(
        'create extension vector; create schema "Odd one"; create extension dblink schema "Odd one"; '
        'revoke execute on all functions in schema "Odd one" from public',
        str(database.write.database),
    )
    upgrade(database, settings)
    drift(database, settings)
    add_model(database, settings, TOY)
    serve_model(database, "toy")
    with (
        database.connect(Role.ANALYST) as conn,
        pytest.raises(EncoderUnavailable, match="no encoder is connected"),
    ):
        conn.exec_driver_sql("select shop.clip_text('a')")


@pytest.mark.deploy
def test_two_sites_that_share_roles_must_share_the_password_of_the_gateway(tenants: Tenants, tmp_path: Path) -> None:
    first, second = tenants.database("tenant_"), tenants.database("tenant_")
    upgrade(first, Settings(home=tmp_path / "first"))
    with pytest.raises(SettingsError, match=f"also used by database {first.write.database}") as raised:
        upgrade(second, Settings(home=tmp_path / "second"))
    assert "WINDOWSHOP_GATEWAY_PASSWORD" in (raised.value.hint or "")
    for database, home in ((first, "first"), (second, "second")):
        shared = Settings(home=tmp_path / home, gateway_password="the same")  # type: ignore[arg-type]
        upgrade(database, shared)
    for database, home in ((first, "first"), (second, "second")):
        upgrade(database, Settings(home=tmp_path / home))  # each user mapping now holds the shared password


@pytest.mark.deploy
def test_an_upgrade_keeps_the_random_password_of_the_gateway_while_the_password_works(
    tenants: Tenants, settings: Settings
) -> None:
    database = tenants.database("tenant_")
    mapping = "select umoptions from pg_user_mappings where srvname = 'shop_primary'"
    upgrade(database, settings)
    before = admin(database, mapping)
    upgrade(database, settings)
    assert admin(database, mapping) == before
    assert "password=" in str(before)
    admin(database, "alter role tenant_gateway password 'changed behind our back'")
    upgrade(database, settings)  # the upgrade sets a new password that works
    assert admin(database, mapping) != before
