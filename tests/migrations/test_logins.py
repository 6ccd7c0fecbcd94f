"""An upgrade gives each process of a site a login of its own, even if the processes shared logins before. Commands
read the passwords from the home folder to which the upgrade wrote them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from db import addresses
from db.engine import Database, open_database
from db.errors import LoginRefused, SettingsError
from db.kept_logins import KeptLogins
from db.lifecycle import logins
from db.roles import LOGINS, Role
from db.settings import Settings
from migrations.upgrade import upgrade
from tests.migrations.conftest import Tenants


@pytest.fixture
def earlier_site(tenants: Tenants) -> Database:
    """Returns an empty database. The server has the roles of an earlier release, in which `app` and `analyst` are
    logins."""
    for role in ("gateway", "encoder", "app", "analyst"):
        tenants.admin(f"create role tenant_{role} login")
    tenants.admin("create role tenant_owner nologin; alter role tenant_gateway connection limit 50")
    tenants.admin("alter role tenant_app password 'shared'")
    tenants.admin("alter role tenant_analyst password 'shared' connection limit 50")
    return tenants.database("tenant_")


@contextmanager
def opened(database: Database, settings: Settings) -> Iterator[Database]:
    """Open a database as a command does, with the administrator's address and the home folder of the settings."""
    address = database.write.set(drivername="postgresql").render_as_string(hide_password=False)
    given = Settings(home=settings.home, role_prefix=database.roles.prefix, database_url=address)  # type: ignore[arg-type]
    with open_database(given) as found:
        yield found


def current_user(database: Database, role: Role) -> str:
    with database.connect(role) as conn:
        return str(conn.exec_driver_sql("select session_user || ' ' || current_user").scalar())


@pytest.mark.deploy
def test_an_upgrade_gives_each_process_of_a_site_with_shared_logins_its_own_login(
    earlier_site: Database, settings: Settings
) -> None:
    with opened(earlier_site, settings) as database:
        upgrade(database, settings)
        for role in LOGINS:
            if role is not Role.GATEWAY:
                assert current_user(database, role) == f"tenant_{role} tenant_{role}"
        assert current_user(database, Role.ANALYST) == "tenant_cli tenant_cli"
        upgrade(database, settings)  # a second upgrade keeps the passwords
        assert current_user(database, Role.WEB_READER) == "tenant_web_reader tenant_web_reader"
        with database.connect(None) as conn:
            faults = [fault for fault in logins.faults(conn, database.roles) if "connections" not in fault]
            limit = conn.exec_driver_sql("select rolconnlimit from pg_roles where rolname = 'tenant_gateway'").scalar()
            assert limit == int(logins.budget(conn, database.roles).usable * LOGINS[Role.GATEWAY].share)
    # The shared logins still work, and `faults` reports this.
    assert [fault.split(",")[0] for fault in faults] == [
        "tenant_analyst may log in",
        "tenant_app may log in",
    ]
    for name in ("tenant_analyst", "tenant_app"):
        shared = database.write.set(username=name, password="shared")
        assert current_user(Database(shared, shared, database.roles), Role.WEB_READER) == f"{name} {name}"


def test_an_upgrade_keeps_a_password_that_the_site_has_set(
    earlier_site: Database, settings: Settings, tenants: Tenants
) -> None:
    tenants.admin("alter role tenant_encoder password 'of the site'")
    with opened(earlier_site, settings) as database:
        upgrade(database, settings)
        with pytest.raises(LoginRefused, match="postgres is an administrator") as refused:
            current_user(database, Role.ENCODER)
        assert "tenant_encoder" in (refused.value.hint or "")
        tenants.admin("alter role tenant_web_reader password 'of the site'")
        upgrade(database, settings)
    for name in ("tenant_encoder", "tenant_web_reader"):
        own = earlier_site.write.set(username=name, password="of the site")
        assert current_user(Database(own, own, database.roles), Role(name.removeprefix("tenant_"))) == f"{name} {name}"


@pytest.mark.deploy
def test_an_upgrade_gives_the_logins_the_passwords_of_a_folder(
    earlier_site: Database, settings: Settings, tenants: Tenants, tmp_path: Path
) -> None:
    folder = tmp_path / "passwords"
    folder.mkdir()
    (folder / "encoder").write_text("first\n")
    given = settings.model_copy(update={"login_passwords": folder})
    with opened(earlier_site, settings) as database:
        for password in ("first", "second"):
            (folder / "encoder").write_text(f"{password}\n")
            upgrade(database, given)
            own = earlier_site.write.set(username="tenant_encoder", password=password)
            expected = "tenant_encoder tenant_encoder"
            assert current_user(Database(own, own, database.roles), Role.ENCODER) == expected
            assert current_user(database, Role.ENCODER) == expected  # the home folder keeps the password too
        # web_reader has no file, so it has a random password.
        assert current_user(database, Role.WEB_READER) == "tenant_web_reader tenant_web_reader"
        (folder / "encoder").write_text("\n")
        with pytest.raises(SettingsError, match="encoder is empty"):
            upgrade(database, given)
        with pytest.raises(SettingsError, match="there is no folder"):
            upgrade(database, settings.model_copy(update={"login_passwords": folder / "elsewhere"}))


def test_passwords_are_found_only_in_the_home_of_the_upgrade_and_by_its_administrator(
    earlier_site: Database, settings: Settings
) -> None:
    with opened(earlier_site, settings) as database:
        upgrade(database, settings)
    elsewhere = settings.model_copy(update={"home": settings.home / "elsewhere"})
    with opened(earlier_site, elsewhere) as database, pytest.raises(LoginRefused, match="is an administrator"):
        current_user(database, Role.WEB_READER)
    person = make_url(str(earlier_site.write.set(username="anna")))
    assert KeptLogins(settings.home, person).find("tenant_web_reader") is None


def test_a_primary_and_its_standbys_share_the_kept_passwords(tmp_path: Path) -> None:
    def kept(hosts: str) -> KeptLogins:
        url = addresses.parse("WINDOWSHOP_DATABASE_URL", f"postgresql://postgres@{hosts}/shop")
        return KeptLogins(tmp_path, url)

    kept("db1").keep("shop_cli", "secret")
    assert kept("db2").find("shop_cli") is None
    assert kept("db1:5433").find("shop_cli") is None
    assert kept("db1:5432,db2:5432").find("shop_cli") == "secret"
    assert kept("db1:5432,db2:5432").find("shop_loader") is None
    kept("db1:5432,db2:5432").keep("shop_cli", "secret")
    assert kept("db2").find("shop_cli") == "secret"
