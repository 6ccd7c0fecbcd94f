"""The commands of docs/operations.md about standbys, promotion, PgBouncer and a restore to a point in time run on
servers of their own."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from db import addresses
from db.embedded.binaries import as_user, server_user
from db.embedded.server import binary
from db.engine import Database
from db.roles import Role, Roles
from tests.operations.page import BLOCKS, ROOT, SCRIPTS, administrator, block, done, shell, system_user
from tests.support.postgres.cluster import Cluster
from tests.support.processes import free_port, wait_until
from tests.web.test_transaction_pooler import PGBOUNCER

pytestmark = pytest.mark.soak
ADD = "insert into shop.product (product_id, sku, title) values (shop.product_id('{0}', 'main'), '{0}', 'A red {0}')"


@dataclass
class Site:
    cluster: Cluster
    folder: Path
    programs: Path

    def administrator(self, commands: str, typed: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
        env = administrator(self.cluster, "shop", self.folder / "home", self.programs)
        return shell(commands, {**env, **more}, self.folder, typed=typed)

    def system_user(self, commands: str) -> "subprocess.CompletedProcess[str]":
        return shell(commands, system_user(self.cluster, self.programs), Path("/"), as_server=True)

    def set_passwords(self) -> None:
        for line in block("passwords").splitlines():
            done(self.administrator(line, "secret\nsecret\n"))


@pytest.fixture
def site(server_home: Path, public_folder: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """Yields a site on a server of its own, which archives its WAL with the settings of the page."""
    folder = public_folder / str(request.node.name).removeprefix("test_")
    settings = block("archive settings", {SCRIPTS: f"{ROOT}/deploy", "/backup ": f"{folder}/backup "})
    cluster = Cluster.create(server_home, folder, *settings.splitlines(), "shop.timeout_ms = 30000")
    cluster.own(folder / "backup")
    cluster.start()
    made = Site(cluster, folder, binary(server_home, "postgres")[0].parent)
    try:
        cluster.sql("create database shop template template0 encoding 'UTF8'")
        done(made.administrator("windowshop db upgrade"))
        cluster.sql(ADD.format("before"), "shop")
        yield made
    finally:
        cluster.run("pg_ctl", "stop", "-w", f"-D{cluster.data}", "-m", "immediate")


def skus(cluster: Cluster) -> list[object]:
    return [sku for (sku,) in cluster.sql("select sku from shop.product order by 1", "shop")]


def test_a_standby_is_made_and_promoted(site: Site) -> None:
    primary = site.cluster
    standby = Cluster(primary.home, site.folder / "standby", free_port())
    places = {r"db1:5432": f"127.0.0.1:{primary.port}", r"db2:5432": f"127.0.0.1:{standby.port}"}
    several = f"postgresql://postgres:{primary.password}@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/shop"
    done(site.administrator("windowshop db upgrade", WINDOWSHOP_DATABASE_URL=several))
    site.set_passwords()
    made = {
        "--host db1 --port 5432": f"--host 127.0.0.1 --port {primary.port}",
        "/var/lib/postgresql": str(site.folder),
    }
    with_port = {r"pg_ctl start": f"pg_ctl start -o '-p {standby.port} -c archive_mode=off'"}
    done(site.system_user(block("standby", made | with_port)))
    try:
        primary.sql(ADD.format("after"), "shop")
        wait_until(lambda: skus(standby) == ["after", "before"], 60, "the replay")
        os.kill(int((primary.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        promote = {"postgres:...@": f"postgres:{standby.password}@", r"db2:5432": places["db2:5432"]}
        shown = done(site.administrator(block("promote", promote), WINDOWSHOP_DATABASE_URL=several))
        assert "No difference." in shown
        assert standby.sql("select pg_is_in_recovery(), shop_private.gateway_is_elsewhere()", "shop") == [
            (False, False)
        ]
        urls = block("several hosts", {":...@": ":secret@", **places})
        for line, role in zip(urls.splitlines(), (Role.WEB_WRITER, Role.WEB_READER), strict=True):
            name, address = line.split("=", 1)
            url = addresses.parse(name, address, writes=role is Role.WEB_WRITER)
            with Database(url, url, Roles("shop_")).connect(role) as conn, conn.begin():
                if role is Role.WEB_WRITER:
                    conn.exec_driver_sql(ADD.format("promoted"))
                assert conn.exec_driver_sql("select count(*) from shop.product").scalar() == 3
    finally:
        standby.stop("immediate")


def test_reader_and_writer_work_through_pgbouncer_and_an_encoder_is_refused(site: Site) -> None:
    if PGBOUNCER is None:
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
    site.set_passwords()
    port, cluster = free_port(), site.cluster
    ini = block(
        "pgbouncer",
        {"host=db.example port=5432": f"host=127.0.0.1 port={cluster.port}", "6432": str(port)},
    )
    (site.folder / "pgbouncer.ini").write_text(ini + "unix_socket_dir =\n")
    write, run = BLOCKS["userlist"].splitlines()
    assert block("userlist").endswith(run + "\n")
    done(site.administrator(write))
    assert len((site.folder / "userlist.txt").read_text().splitlines()) >= 7
    (site.folder / "userlist.txt").chmod(0o644)
    pooler = subprocess.Popen([PGBOUNCER, "-q", run.split()[1]], cwd=site.folder, **as_user(server_user()))
    try:
        through = f"postgresql://{{}}:secret@127.0.0.1:{port}/shop"
        reader, writer, encoder = (through.format(f"shop_{name}") for name in ("web_reader", "web_writer", "encoder"))
        wait_until(lambda: site.administrator(f"psql '{reader}' -c 'select 1'").returncode == 0, 30, "PgBouncer")
        assert "main" in done(site.administrator("windowshop catalog list", WINDOWSHOP_DATABASE_URL=reader))
        status = site.administrator("windowshop encode --once", WINDOWSHOP_DATABASE_URL=encoder)
        assert status.returncode == 3
        assert re.search("leads to a transaction pooler, and an encoder needs a session", status.stderr)
        url = addresses.parse("WINDOWSHOP_DATABASE_URL", writer)
        with Database(url, url, Roles("shop_")).connect(Role.WEB_WRITER) as conn, conn.begin():
            conn.exec_driver_sql(ADD.format("pooled"))
        assert skus(cluster) == ["before", "pooled"]
    finally:
        pooler.terminate()
        pooler.wait(30)


def test_a_point_in_time_is_restored(site: Site) -> None:
    cluster = site.cluster
    backup = site.folder / "backup"
    done(site.system_user(block("base backup", {SCRIPTS: f"{ROOT}/deploy", " /backup\n": f" {backup}\n"})))
    cluster.sql(ADD.format("later"), "shop")
    [(before,)] = cluster.sql("select clock_timestamp()::text from pg_sleep(1.1)")
    [(name,)] = cluster.sql("select pg_walfile_name(pg_current_wal_lsn())")
    cluster.sql("delete from shop.product", "shop")
    cluster.sql("select pg_switch_wal()")
    wait_until(lambda: (backup / "wal" / f"{name}.gz").exists(), 60, "the archived deletion")

    restored = Cluster(cluster.home, site.folder / "restored", free_port())
    commands = block(
        "point in time",
        {
            SCRIPTS: f"{ROOT}/deploy",
            " /backup ": f" {backup} ",
            "/var/lib/postgresql": str(site.folder),
            r"2026-05-04 13:59:00\+02": str(before),
            '"-c archive': f'"-p {restored.port} -c archive',
        },
    )
    done(site.system_user(commands))
    try:
        assert skus(restored) == ["before", "later"]
        assert skus(cluster) == []
        copy = Site(restored, site.folder, site.programs)
        assert copy.administrator("windowshop db check").returncode != 0  # the copy's gateway leads to the original
        assert "No difference." in done(copy.administrator(block("adopt")))
    finally:
        restored.stop("immediate")
