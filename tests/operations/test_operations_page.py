"""The marked commands of docs/operations.md run against a real server, with the results that the page promises."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from db.embedded.server import binary
from db.engine import Database
from db.settings import Settings
from tests.support.databases import Databases, admin

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operations.md"
BLOCK = re.compile(r"<!-- a test runs this block: (?P<name>[\w ]+) -->\n\n(?P<lines>(?: {4}.*\n)+)")
Shell = Callable[..., subprocess.CompletedProcess[str]]


def blocks() -> dict[str, str]:
    return {
        found["name"]: re.sub("^ {4}", "", found["lines"], flags=re.M)
        for found in BLOCK.finditer(PAGE.read_text(encoding="utf-8"))
    }


@pytest.fixture
def shell(
    database: Database, server_home: Path, environment: Callable[[Database], dict[str, str]], tmp_path: Path
) -> Shell:
    """Returns a function that runs commands of the page in a shell, beside PostgreSQL's programs."""
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

    def run(commands: str) -> subprocess.CompletedProcess[str]:
        words = f'windowshop() {{ "{sys.executable}" -m windowshop "$@"; }}\nset -e\n{commands}'
        return subprocess.run(
            ["bash", "-c", words],
            env={**env, **own},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

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
    dumped = shell(blocks()["dump"])
    assert dumped.returncode == 0, dumped.stderr
    address = restored.write.set(drivername="postgresql").render_as_string(hide_password=False)
    commands = re.sub(
        r"(WINDOWSHOP_DATABASE_URL=)postgresql://\S+", lambda found: found[1] + address, blocks()["restore"]
    )
    assert address in commands
    done = shell(commands)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No difference." in done.stdout
    assert admin(restored, "select sku from shop.product order by 1") == [("a",), ("b",)]
    assert admin(restored, "select shop_private.gateway_is_elsewhere()") == [(False,)]


@pytest.mark.soak
def test_second_logins_of_the_web_service_pass_the_checks(
    database: Database, settings: Settings, shell: Shell, databases: Databases
) -> None:
    from db.roles import Role

    try:
        done = shell(blocks()["second login"])
        assert done.returncode == 0, done.stdout + done.stderr
        assert "people: 15 (shop_web_reader_2 10, shop_web_writer_2 5)" in done.stdout
        for name, role in (("shop_web_reader_2", Role.WEB_READER), ("shop_web_writer_2", Role.WEB_WRITER)):
            admin(database, f"alter role {name} password 'another'")
            url = database.write.set(username=name, password="another")
            with Database(url, url, database.roles).connect(role) as conn:  # refuses a login without the rights
                assert conn.exec_driver_sql("select current_user::text").scalar() == name
    finally:
        databases.run("drop role if exists shop_web_reader_2")
        databases.run("drop role if exists shop_web_writer_2")


@pytest.mark.soak
def test_the_gateway_keeps_working_while_its_password_changes(database: Database, shell: Shell) -> None:
    mapping = "select umoptions::text from pg_user_mappings where srvname = 'shop_primary'"
    before = admin(database, mapping)
    with database.connect(None) as conn:
        conn.exec_driver_sql("set role shop_owner")
        conn.exec_driver_sql("select shop_dblink.dblink_connect('open', 'shop_primary')")
        done = shell(f"unset WINDOWSHOP_GATEWAY_PASSWORD\n{blocks()['gateway']}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert conn.exec_driver_sql("select * from shop_dblink.dblink('open', 'select 1') as t (one int)").scalar() == 1
        conn.exec_driver_sql("select shop_dblink.dblink_connect('new', 'shop_primary')")
        after = admin(database, mapping)
    assert before != after
    assert database.password is not None  # other databases of this server use the gateway's login too
    admin(database, f"alter role shop_gateway password '{database.password(database.roles.gateway)}'")


def test_every_marked_block_is_run_by_a_test() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in blocks() if f'blocks()["{name}"]' in source or f"blocks()['{name}']" in source} == set(
        blocks()
    )
    assert len(blocks()) == 4
