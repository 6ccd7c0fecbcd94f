"""The commands of docs/operations.md run against a real server, with the results that the page states."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from db import addresses
from db.embedded.server import binary
from db.engine import Database
from db.errors import LoginRefused
from db.roles import Role
from tests.operations import page
from tests.operations.page import BLOCKS, PAGE, block
from tests.support.databases import Databases, admin

ROOT = page.ROOT
SAMPLES = ("broken ", '{"process"', "Connections: ")  # a block that begins with one of these is printed by a command
Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def shell(
    database: Database, server_home: Path, environment: Callable[[Database], dict[str, str]], tmp_path: Path
) -> Shell:
    """Returns a function that runs commands of the page in a shell. The shell finds PostgreSQL's programs."""
    path, variables = binary(server_home, "psql")
    url = database.write.set(drivername="postgresql")
    env = environment(database)
    own = {
        **variables,
        "PATH": f"{path.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "ADMIN_URL": env["WINDOWSHOP_DATABASE_URL"],
        "PGHOST": str(url.host),
        "PGPORT": str(url.port),
        "PGUSER": str(url.username),
        "PGPASSWORD": str(url.password),
        "WINDOWSHOP_GATEWAY_PASSWORD": database.password(database.roles.gateway) if database.password else "",
    }

    def run(commands: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return page.shell(commands, {**env, **own}, tmp_path, typed=typed)

    return run


@pytest.fixture
def restored(databases: Databases) -> Iterator[Database]:
    """Yields the database shop, which the commands of the page create."""
    yield databases.open("shop")
    databases.run("drop database if exists shop with (force)")


@pytest.mark.soak
def test_a_dump_is_restored_into_an_empty_database(database: Database, restored: Database, shell: Shell) -> None:
    admin(
        database,
        "insert into shop.product (product_id, sku, title) values "
        "(shop.product_id('a', 'main'), 'a', 'red shoe'), (shop.product_id('b', 'main'), 'b', 'blue bag')",
    )
    page.done(shell(block("dump")))
    address = restored.write.set(drivername="postgresql").render_as_string(hide_password=False)
    done = shell(block("restore", {r"postgresql://\S+": address}))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No difference." in done.stdout
    assert admin(restored, "select sku from shop.product order by 1") == [("a",), ("b",)]
    assert admin(restored, "select shop_private.gateway_is_elsewhere()") == [(False,)]


def connect(database: Database, name: str, password: str, role: Role) -> Database:
    """Returns the database with a login. The first connection checks that the login has the rights of the role."""
    url = database.write.set(username=name, password=password)
    return Database(url, url, database.roles)


@pytest.fixture
def own_passwords(database: Database) -> Iterator[None]:
    """After the test, restores the passwords of the logins and drops the second logins, because all databases of the
    server share the logins."""
    yield
    assert database.password is not None
    for role in (Role.WEB_READER, Role.WEB_WRITER, Role.LOADER, Role.ENCODER, Role.JOBS):
        name = database.roles[role]
        admin(database, f"alter role {name} password '{database.password(name)}'")
    for name in ("shop_web_reader_2", "shop_web_writer_2"):
        admin(database, f"drop role if exists {name}")


@pytest.mark.soak
@pytest.mark.usefixtures("own_passwords")
def test_passwords_change_while_connections_are_open(database: Database, shell: Shell) -> None:
    """Open connections stay. The second logins work while the passwords of the first logins change. The old passwords
    are refused."""
    assert database.password is not None
    logins = (Role.WEB_READER, Role.WEB_WRITER, Role.LOADER, Role.ENCODER, Role.JOBS)
    old = {
        role: connect(database, database.roles[role], database.password(database.roles[role]), role) for role in logins
    }
    opened = {role: old[role].connect(role) for role in logins}
    connections = {role: opened[role].__enter__() for role in logins}
    try:
        done = shell(block("second login"))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "people: 15 (shop_web_reader_2 10, shop_web_writer_2 5)" in done.stdout
        for name, role in (("shop_web_reader_2", Role.WEB_READER), ("shop_web_writer_2", Role.WEB_WRITER)):
            page.done(shell(f"psql \"$ADMIN_URL\" -c '\\password {name}'", typed="another\nanother\n"))
            with connect(database, name, "another", role).connect(role) as conn:
                assert conn.exec_driver_sql("select current_user::text").scalar() == name

        for line in block("passwords").splitlines():
            page.done(shell(line, typed="a new one\na new one\n"))
        for role, conn in connections.items():
            assert conn.exec_driver_sql("select 1").scalar() == 1  # an open connection stays
            with pytest.raises(LoginRefused), old[role].connect(role):
                pass
        new = {
            found["login"]: (found["name"], found[0])
            for found in re.finditer(r"(?P<name>\w+_URL)=postgresql://(?P<login>\w+):\S+", BLOCKS["addresses"])
        }
        assert {login: name for login, (name, _) in new.items()} == {
            "shop_web_reader": "WINDOWSHOP_READ_DATABASE_URL",
            "shop_web_writer": "WINDOWSHOP_DATABASE_URL",
            "shop_encoder": "WINDOWSHOP_DATABASE_URL",
        }
        place = f"{database.write.host}:{database.write.port}/{database.write.database}"
        for role in (Role.WEB_READER, Role.WEB_WRITER, Role.ENCODER):
            name, line = new[database.roles[role]]
            address = line.split("=", 1)[1].replace(":...@", ":a new one@").replace("db.example:5432/shop", place)
            url = addresses.parse(name, address)
            with Database(url, url, database.roles).connect(role) as conn:
                assert conn.exec_driver_sql("select current_user::text").scalar() == database.roles[role]
        for role in (Role.LOADER, Role.JOBS):
            with connect(database, database.roles[role], "a new one", role).connect(role) as conn:
                assert conn.exec_driver_sql("select 1").scalar() == 1

        page.done(shell(block("drop second logins")))
        assert admin(database, "select count(*) from pg_roles where rolname ~ '_2$'") == [(0,)]
    finally:
        for each in opened.values():
            each.__exit__(None, None, None)


@pytest.mark.soak
def test_people_get_logins_of_their_own(database: Database, shell: Shell) -> None:
    done = page.done(shell(block("people")))
    assert re.search(r"postgresql://anna:\S+@", done)
    assert admin(database, "select rolname from pg_roles where rolname in ('anna', 'bert')") == [("bert",)]
    page.done(shell(f'psql "$ADMIN_URL" <<SQL\n{block("person")}SQL\nwindowshop db upgrade'))
    try:
        query = "select rolconnlimit, pg_has_role('anna', 'shop_analyst', 'usage') from pg_roles where rolname = 'anna'"
        assert admin(database, query) == [(5, True)]
        page.done(shell(f'psql "$ADMIN_URL" <<SQL\n{block("limit")}SQL'))
        limit = "select rolconnlimit from pg_roles where rolname = 'shop_web_reader'"
        assert admin(database, limit) == [(40,)]
        page.done(shell(f'psql "$ADMIN_URL" <<SQL\n{block("trace")}SQL'))
    finally:
        page.done(shell("windowshop db login drop anna; windowshop db login drop bert"))
        admin(database, "alter role shop_web_reader connection limit -1")


@pytest.mark.soak
def test_the_command_status_ends_with_the_documented_exit_code(database: Database, shell: Shell) -> None:
    first, second, third = block("status").splitlines()
    shown = shell(first)
    assert shown.returncode == 2, shown.stdout + shown.stderr  # the database has no model
    assert shown.stdout.startswith("broken")
    assert shell(second).returncode == 2
    in_json = shell(third)
    assert in_json.returncode == 2
    assert in_json.stdout.startswith(("{", "["))


@pytest.mark.soak
def test_the_gateway_keeps_working_while_its_password_changes(database: Database, shell: Shell) -> None:
    mapping = "select umoptions::text from pg_user_mappings where srvname = 'shop_primary'"
    before = admin(database, mapping)
    with database.connect(None) as conn:
        conn.exec_driver_sql("set role shop_owner")
        conn.exec_driver_sql("select shop_dblink.dblink_connect('open', 'shop_primary')")
        done = shell(f"unset WINDOWSHOP_GATEWAY_PASSWORD\n{block('gateway')}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert conn.exec_driver_sql("select * from shop_dblink.dblink('open', 'select 1') as t (one int)").scalar() == 1
        conn.exec_driver_sql("select shop_dblink.dblink_connect('new', 'shop_primary')")
        after = admin(database, mapping)
    assert before != after
    assert database.password is not None  # other databases of this server use the gateway's login too
    admin(database, f"alter role shop_gateway password '{database.password(database.roles.gateway)}'")


def test_a_test_uses_every_block_of_the_page() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    used = set(re.findall(r"""(?:block\(|BLOCKS\[)\s*["']([\w ]+)["']""", tests))
    assert set(BLOCKS) - used == set()
    assert PAGE.count("<!-- a test uses this block") == len(BLOCKS)
    paragraphs = PAGE.split("\n\n")
    for before, each in pairwise(paragraphs):
        if each.startswith(("    ", "```sql")) and not each.lstrip().startswith(SAMPLES):
            assert " test uses this block: " in before.splitlines()[-1], each
