"""psql runs the script that `windowshop db upgrade --sql` writes. The script creates the same objects of the database
as `windowshop db upgrade`."""

import io
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from db import schema
from db.embedded.server import binary
from db.engine import Database
from db.errors import SettingsError
from db.lifecycle import gateway
from db.lifecycle.serving import serve_model
from db.settings import Settings
from migrations.upgrade import downgrade, drift, upgrade, write_script
from tests.migrations.conftest import Tenants
from tests.support.databases import Databases, admin
from tests.support.processes import windowshop

Script = Callable[..., str]


@pytest.fixture
def program(server_home: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(name: str, database: Database, *arguments: str) -> subprocess.CompletedProcess[str]:
        path, environment = binary(server_home, name)
        url = database.write.set(drivername="postgresql")
        given = {**environment, "PGPASSWORD": str(url.password), "PGOPTIONS": "-c client_min_messages=warning"}
        target = url._replace(password=None).render_as_string()
        return subprocess.run(
            [str(path), "-d", target, *arguments], env=given, capture_output=True, text=True, timeout=300, check=False
        )

    return run


def written(settings: Settings, start: str = "base") -> str:
    output = io.StringIO()
    write_script(settings, start, output)
    return output.getvalue()


def script(path: Path, settings: Settings, start: str = "base") -> Path:
    path.write_text(written(settings, start), encoding="utf-8")
    return path


def catalog(program: Callable[..., subprocess.CompletedProcess[str]], database: Database) -> list[str]:
    """Return the statements that would create the objects of the database. The function replaces what differs between
    equal databases: the name of the database, passwords, the identity of the gateway, and the key of the dump."""
    done = program("pg_dump", database, "--schema-only")
    assert done.returncode == 0, done.stderr
    text = re.sub(r"\\(un)?restrict \w+", "", done.stdout)
    name = str(database.write.database)
    text = re.sub(r"password '[^']*'", "password ''", re.sub(r"VERSION '[^']*'", "VERSION ''", text))
    return text.replace(name, "DATABASE").splitlines()


def with_gateway(empty: Database) -> None:
    """Create a user mapping with the gateway's password. Without this mapping, the script would stop, because other
    databases of the server use the role of the gateway too."""
    assert empty.password is not None
    password = empty.password(empty.roles.gateway)
    admin(
        empty,
        "create schema shop_dblink; create extension dblink schema shop_dblink; "
        "revoke execute on all functions in schema shop_dblink from public; "
        "create server shop_primary foreign data wrapper dblink_fdw; create user mapping for shop_owner "
        f"server shop_primary options (\"user\" 'shop_gateway', password '{password}')",
    )


@pytest.mark.deploy
def test_the_script_creates_the_same_objects_as_an_upgrade_of_an_empty_database(
    databases: Databases,
    database: Database,
    settings: Settings,
    program: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    empty = databases.open(databases.create())
    with_gateway(empty)
    at = Settings(home=settings.home, gateway_host="127.0.0.1")
    ran = program("psql", empty, "-X", "--quiet", "--file", str(script(tmp_path / "upgrade.sql", at)))
    assert ran.returncode == 0, ran.stderr[-3000:]
    upgrade(database, settings)
    assert catalog(program, empty) == catalog(program, database)
    drift(empty, settings)
    settings_of = (
        "select setconfig::text from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase where datname = "
    )
    name = "current_database() and setrole = 0"
    assert admin(empty, settings_of + name) == admin(database, settings_of + name) != []
    again = program("psql", empty, "-X", "--quiet", "--file", str(tmp_path / "upgrade.sql"))
    assert (
        again.returncode != 0 and f"the database has a Windowshop schema at revision {{{schema.HEAD}}}" in again.stderr
    )


CHANGED = """
set role shop_owner;
drop function if exists shop.schema_revision();
create function shop.schema_revision() returns integer language sql return 1;
create function shop.schema_revision(text) returns text language sql return 'an overload';
create function shop_private.removed() returns integer language sql return 1;
create function shop_private.request_refuse(bigint) returns integer language sql return 1;
reset role"""


@pytest.mark.deploy
@pytest.mark.parametrize(("start", "functions"), [("0008", "select 1"), ("0022", CHANGED)])
def test_psql_upgrades_a_database_of_an_earlier_revision_that_has_products(
    start: str,
    functions: str,
    database: Database,
    settings: Settings,
    program: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    downgrade(database, settings, start)
    admin(
        database,
        "insert into shop.product (product_id, sku, title) "
        "select shop.product_id('C-' || n, 'main'), 'C-' || n, 'Café ' || n from generate_series(1, 1200) n",
    )
    admin(database, functions)
    at = Settings(home=settings.home, gateway_host="127.0.0.1")
    wrong = program("psql", database, "-X", "--file", str(script(tmp_path / "wrong.sql", at, "0001")))
    assert wrong.returncode != 0 and f"the database is at revision {{{start}}}" in wrong.stderr
    ran = program("psql", database, "-X", "--quiet", "--file", str(script(tmp_path / "upgrade.sql", at, start)))
    assert ran.returncode == 0, ran.stderr[-3000:]
    drift(database, settings)
    before = catalog(program, database)
    upgrade(database, settings)
    assert catalog(program, database) == before
    assert admin(database, "select count(*) from shop.product where keywords @@ 'cafe'::tsquery") == [(1200,)]


@pytest.mark.deploy
def test_the_script_gives_the_gateway_of_a_copy_a_new_password(
    databases: Databases,
    tenants: Tenants,
    settings: Settings,
    program: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    original = tenants.database("tenant_")
    upgrade(original, settings)
    admin(original, "drop extension pg_prewarm; create extension pg_prewarm version '1.1'")
    # If older packages replace the packages of a server, a database can have a newer version of an extension than the
    # server.
    admin(original, "update pg_extension set extversion = '99.0' where extname = 'pg_trgm'")
    admin(original, "alter server shop_primary options (add sslmode 'allow')")
    name = str(original.write.database)
    copied = tenants.database("tenant_", template=name)
    at = Settings(home=settings.home, gateway_host="127.0.0.1", role_prefix="tenant_")
    end = script(tmp_path / "upgrade.sql", at, schema.HEAD)
    look = "select umoptions from pg_user_mappings where srvname = 'shop_primary'"
    before = admin(copied, look)

    tenants.admin(f"drop database {name}")
    tenants.admin("alter role tenant_gateway password null")  # a role on another server has no password yet
    found = []
    for _ in range(2):
        ran = program("psql", copied, "-X", "--quiet", "--file", str(end))
        assert ran.returncode == 0, ran.stderr[-3000:]
        with copied.connect(None) as conn, conn.begin():
            assert gateway.reach(conn, copied.roles) == gateway.own_end(conn)
        found.append(admin(copied, look))
    assert found[0] == found[1] != before  # at the second run, the database is no copy any more
    versions = "select extname::text, extversion from pg_extension where extname in ('pg_prewarm', 'pg_trgm')"
    assert sorted(admin(copied, versions)) == [("pg_prewarm", "1.2"), ("pg_trgm", "99.0")]
    assert "sslmode=allow" in str(admin(copied, "select srvoptions from pg_foreign_server"))


@pytest.mark.soak
def test_the_script_contains_the_revisions_of_the_site(
    databases: Databases,
    with_toy: Database,
    settings: Settings,
    program: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    empty = databases.open(databases.create())
    with_gateway(empty)
    at = Settings(home=settings.home, gateway_host="127.0.0.1")
    ran = program("psql", empty, "-X", "--quiet", "--file", str(script(tmp_path / "upgrade.sql", at)))
    assert ran.returncode == 0, ran.stderr[-3000:]
    upgrade(with_toy, settings)
    for query in (
        "select name, source, revision, dimension from shop.model",
        "select version_num from shop_private.alembic_version order by 1",
        "select * from shop_private.site_revision order by 1",
    ):
        assert admin(empty, query) == admin(with_toy, query) != []
    serve_model(empty, "toy")  # as in the other database
    assert catalog(program, empty) == catalog(program, with_toy)


def test_the_script_holds_no_password_and_says_what_it_lacks(settings: Settings) -> None:
    secret = Settings(
        home=settings.home, gateway_password="x7-secret", database_url="postgresql://postgres:x7-secret@db/shop"
    )
    text = written(secret)
    assert "x7-secret" not in text and "'db'" in text
    beginning = text.partition("begin;")[0]
    assert "shop_web_reader" in beginning and "WINDOWSHOP_GATEWAY_PASSWORD" in beginning
    assert "create index concurrently" in text.lower()
    inside = False
    for line in text.splitlines():
        inside = {"begin;": True, "commit;": False}.get(line.lower(), inside)
        assert not (inside and re.match(r"(create|drop|reindex) index concurrently", line, re.IGNORECASE)), line


def test_the_command_writes_the_script_without_a_database(
    settings: Settings, environment: Callable[..., dict[str, str]], database: Database
) -> None:
    env = {**environment(database), "WINDOWSHOP_DATABASE_URL": "postgresql://someone:secret@127.0.0.1:9/shop"}
    done = windowshop("db", "upgrade", "--sql", env=env)
    assert done.returncode == 0 and done.stdout.startswith("-- Upgrade of Windowshop's schema"), done.stderr
    assert windowshop("db", "upgrade", "--from", "0022", env=env).returncode == 2
    unknown = windowshop("db", "upgrade", "--sql", "--from", "9999", env=env)
    assert unknown.returncode == 3 and "9999" in unknown.stderr and "Traceback" not in unknown.stderr


def test_a_wrong_host_of_the_gateway_is_refused_before_anything_is_written(settings: Settings) -> None:
    output = io.StringIO()
    with pytest.raises(SettingsError, match="WINDOWSHOP_GATEWAY_HOST is not a list of hosts"):
        write_script(settings.model_copy(update={"gateway_host": "db1:5432,,db2"}), "base", output)
    assert output.getvalue() == ""
