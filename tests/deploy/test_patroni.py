"""Patroni with etcd promotes the standby of a killed primary. A site finds the new primary, and nobody has to run a
command."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
import yaml

from db.embedded.binaries import as_user, server_user
from db.embedded.server import Server, binary
from db.engine import open_database
from db.errors import EncoderUnavailable
from db.lifecycle.serving import serve_model
from db.roles import Role
from db.settings import Settings
from migrations.model_revisions import add_model
from migrations.upgrade import upgrade
from tests.deploy.test_monitoring import tool
from tests.support.processes import free_port, wait_until
from tests.support.shop import TOY

pytestmark = [pytest.mark.deploy, pytest.mark.soak]

PASSWORD = "administrator"
NAMES = ("one", "two")


class Patroni:
    """etcd and two PostgreSQL servers under Patroni. All run as the system user of the embedded server."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.programs = folder, programs
        self.ports = {name: free_port() for name in ("etcd", "peer", *NAMES, *(f"{name} rest" for name in NAMES))}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{self.ports[name]}" for name in ("etcd", "peer"))
        self._start(
            "etcd", "etcd", "--data-dir", str(self.folder / "etcd"), "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"default={peer}",
        )  # fmt: skip

    def start(self, name: str) -> None:
        rest, port = (f"127.0.0.1:{self.ports[key]}" for key in (f"{name} rest", name))
        config = {
            "scope": "shop",
            "name": name,
            "restapi": {"listen": rest, "connect_address": rest},
            "etcd3": {"host": f"127.0.0.1:{self.ports['etcd']}"},
            "bootstrap": {
                "dcs": {"ttl": 20, "loop_wait": 2, "retry_timeout": 3, "postgresql": {"use_pg_rewind": True}},
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, {"lc-ctype": "C.UTF-8"}, "data-checksums"],
            },
            "postgresql": {
                "listen": port,
                "connect_address": port,
                "data_dir": str(self.folder / name),
                "bin_dir": str(self.programs),
                "pgpass": str(self.folder / f"{name}.pgpass"),
                "authentication": {
                    "superuser": {"username": "postgres", "password": PASSWORD},
                    "replication": {"username": "replicator", "password": PASSWORD},
                },
                "parameters": {"unix_socket_directories": str(self.folder)},
                "pg_hba": [f"host {database} all 127.0.0.1/32 scram-sha-256" for database in ("all", "replication")],
            },
        }
        path = self.folder / f"{name}.yml"
        path.write_text(yaml.safe_dump(config))
        self._start(name, "patroni", str(path))

    def _start(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                words, cwd=self.folder, stdout=log, stderr=log,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8"},
                **as_user(server_user()),
            )  # fmt: skip

    def kill(self, name: str) -> None:
        """Kill Patroni and its PostgreSQL, as the loss of the machine would."""
        self.processes.pop(name).kill()
        pid = int((self.folder / name / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)

    def is_(self, name: str, role: str) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports[f'{name} rest']}/{role}", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def url(self, user: str, password: str, database: str) -> str:
        hosts = ",".join(f"127.0.0.1:{self.ports[name]}" for name in NAMES)
        return f"postgresql://{user}:{password}@{hosts}/{database}"


@pytest.fixture
def patroni(public_folder: Path, server: Server, server_home: Path) -> Iterator[Patroni]:
    for program, package in {"patroni": "patroni", "etcd": "etcd-server"}.items():
        tool(program, package)
    folder = public_folder / "patroni"
    folder.mkdir()
    os.chown(folder, server_user().pw_uid, server_user().pw_gid)
    programs, _ = binary(server_home, "postgres")
    made = Patroni(folder, programs.parent)
    try:
        made.start_etcd()
        made.start("one")
        wait_until(lambda: made.is_("one", "primary"), 120, (folder / "one.log").read_text()[-3000:])
        made.start("two")
        wait_until(lambda: made.is_("two", "replica"), 120, (folder / "two.log").read_text()[-3000:])
        yield made
    finally:
        for process in reversed(list(made.processes.values())):
            process.terminate()
            process.wait(60)


def test_writes_and_the_gateway_find_the_new_primary_without_a_command(patroni: Patroni, tmp_path: Path) -> None:
    with psycopg.connect(patroni.url("postgres", PASSWORD, "postgres"), autocommit=True) as conn:
        conn.execute("create database shop template template0")
    address = patroni.url("postgres", PASSWORD, "shop")
    settings = Settings(home=tmp_path / "home", database_url=address)  # type: ignore[arg-type]
    with open_database(settings) as database:
        upgrade(database, settings)
        add_model(database, settings, TOY)
        serve_model(database, TOY.name)
        wait_until(lambda: patroni.is_("two", "replica?lag=0"), 60, "a standby without lag")
        patroni.kill("one")
        began = time.monotonic()

        def written() -> bool:
            try:
                with database.connect(Role.APP) as conn, conn.begin():
                    conn.exec_driver_sql(
                        "insert into shop.product (product_id, sku, title) values (shop.product_id('a'), 'a', 'A')"
                    )
                return True
            except Exception:
                return False

        wait_until(lambda: patroni.is_("two", "primary"), 120, "a promotion")
        promoted = time.monotonic()
        wait_until(written, 60, "a write after the promotion")
        print(f"promoted after {promoted - began:.1f} s, written {time.monotonic() - promoted:.1f} s later")
        with database.connect(Role.ANALYST) as conn, pytest.raises(EncoderUnavailable, match="no encoder"):
            # This error comes from the new primary, so the gateway has found it.
            conn.exec_driver_sql("select shop.clip_text('a text after the failover')")

        patroni.start("one")  # follows the new primary
        wait_until(lambda: patroni.is_("one", "replica"), 120, (patroni.folder / "one.log").read_text()[-2000:])
