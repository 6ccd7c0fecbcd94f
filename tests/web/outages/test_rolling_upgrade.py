"""The database is upgraded while processes of the earlier release run. Then these processes are replaced one by one."""

import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db import schema
from db.engine import Database
from tests.migrations.test_version_skew import later_schema
from tests.support.databases import admin
from tests.support.http_load import service, stop
from tests.support.processes import COMMAND, ROOT, free_port, wait_until
from tests.support.web_service import CACHED, Serve

Environment = Callable[[Database], dict[str, str]]
PACKAGES = ("db", "encoder", "loader", "migrations", "web", "windowshop")
NEXT = f"{int(schema.HEAD) + 1:04d}"
RATE, PROCESSES = 50, 4
REVISION = f'''"""Expands the schema."""

import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{schema.HEAD}"
branch_labels = None
depends_on = None
serves = "{schema.HEAD}"


def upgrade() -> None:
    op.add_column("product", sa.Column("season", sa.Text()), schema="shop")


def downgrade() -> None:
    op.drop_column("product", "season", schema="shop")
'''


def test_a_process_is_ready_but_behind_until_the_schema_no_longer_serves_it(
    serve: Serve, own_database: Database
) -> None:
    with serve(own_database) as client:
        assert client.get("/ready").json() | {"encoder": None, "lag_seconds": None} == {
            "status": "ready", "revision": schema.HEAD, "primary": True, "reads": "primary", "lag_seconds": None,
            "encoder": None, "is_copy": False,
        }  # fmt: skip
        later_schema(own_database, NEXT, schema.HEAD)
        answer = client.get("/ready")
        assert (answer.status_code, answer.json()["status"], answer.json()["revision"]) == (200, "behind", NEXT)
        later_schema(own_database, NEXT, NEXT)
        answer = client.get("/ready")
        assert answer.status_code == 503
        detail = answer.json()["detail"]
        assert detail.endswith(f"ahead of this code ({schema.HEAD}), and serves only code from {NEXT} on.")


def test_a_request_that_ends_in_a_deadlock_runs_again(serve: Serve, own_database: Database) -> None:
    lock = "select from shop.product where sku = '{}' for update"
    put = {"products": [{"sku": f"sku {n}", "title": f"A new title {n}"} for n in (1, 9)]}
    waits = text("select count(*) from pg_locks l join pg_stat_activity a using (pid) where not l.granted "
                 "and a.datname = current_database()")  # fmt: skip
    with serve(own_database) as client, ThreadPoolExecutor(1) as thread, own_database.connect(None) as conn:
        with conn.begin():
            # With this timeout, the request notices the deadlock first, so PostgreSQL ends the request's transaction.
            conn.execute(text("set local deadlock_timeout = '60s'"))
            conn.execute(text(lock.format("sku 9")))
            answer = thread.submit(client.put, "/products", json=put)
            wait_until(lambda: conn.scalar(waits), 30, "a request that waits for the lock")
            conn.execute(text(lock.format("sku 1")))
        assert answer.result().status_code == 200
        assert client.get("/products/sku 1").json()["title"] == "A new title 1"


class Traffic(threading.Thread):
    """Sends RATE mixed requests a second to the processes at `ports`, which get the requests in turn."""

    def __init__(self, ports: list[int]) -> None:
        super().__init__(name="traffic")
        self.ports, self.end = ports, threading.Event()
        self.statuses: Counter[str] = Counter()
        self.failures: list[str] = []
        self._client = httpx.Client(timeout=30)

    def run(self) -> None:
        with self._client, ThreadPoolExecutor(32) as threads:  # the last requests end before the client is closed
            due = time.monotonic()
            number = 0
            while not self.end.wait(max(0.0, due - time.monotonic())):
                threads.submit(self._ask, number, f"http://127.0.0.1:{self.ports[number % len(self.ports)]}")
                due, number = due + 1 / RATE, number + 1

    def _ask(self, number: int, address: str) -> None:
        try:
            answer = self._request(number, address)
            self.statuses[str(answer.status_code)] += 1
            if answer.status_code != 200:
                self.failures.append(f"{answer.request.url} {answer.status_code} {answer.text[-200:]}")
        except httpx.HTTPError as error:
            self.failures.append(f"{address} {type(error).__name__} {error}")

    def _request(self, number: int, address: str) -> httpx.Response:
        query = CACHED[number % len(CACHED)]
        match number % 10:
            case 0:
                product: Any = {"sku": f"put {number % 7}", "title": f"Put {number}"}
                return self._client.put(f"{address}/products", json={"products": [product]})
            case 1 | 2:
                return self._client.get(f"{address}/products/sku {number % 60 + 1}")
            case 3:
                return self._client.post(f"{address}/facets", json={"query": query, "fields": ["color"]})
            case 4:
                return self._client.get(f"{address}/", params={"q": query})
            case _:
                return self._client.post(f"{address}/search/text", json={"query": query, "top_k": 5})


def next_release(folder: Path) -> Path:
    """Copies the code to `folder`, and adds a revision and an option of shop.search to the copy. Returns `folder`."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "migrations" / "versions" / f"{NEXT}_season.py").write_text(REVISION)
    last = " text default null"  # the last option of shop.search ends like this
    for path, old, new in (
        ("db/schema.py", f'HEAD = "{schema.HEAD}"', f'HEAD = "{NEXT}"'),
        ("db/functions/search/search.sql", f"{last}\n)", f"{last}, season text default null\n)"),
    ):
        source = (folder / path).read_text()
        assert source.count(old) == 1
        (folder / path).write_text(source.replace(old, new))
    return folder


@pytest.mark.soak
def test_replacing_four_processes_across_a_revision_fails_no_request(
    own_database: Database, environment: Environment, tmp_path: Path
) -> None:
    code, env = next_release(tmp_path / "next"), environment(own_database)
    limits = "select rolname, rolconnlimit from pg_roles where rolname in ('shop_web_reader', 'shop_web_writer')"
    before = admin(own_database, limits)
    for name, _ in before:  # the limits of the test server's roles are for fewer processes
        admin(own_database, f"alter role {name} connection limit 60")
    try:
        with ExitStack() as stack:
            ports = [free_port() for _ in range(PROCESSES)]
            old = [stack.enter_context(service(env, tmp_path / f"old-{port}", port, connections=4)) for port in ports]
            traffic = Traffic(list(ports))
            traffic.start()
            stack.callback(traffic.join)
            stack.callback(traffic.end.set)
            time.sleep(5)
            done = subprocess.run(
                [*COMMAND, "db", "upgrade"], env={**env, "PYTHONPATH": str(code)}, cwd=code, capture_output=True,
                text=True, timeout=300, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert {ready(port) for port in ports} == {(200, "behind", NEXT)}
            for place, (port, process) in enumerate(zip(ports, old, strict=True)):
                new = free_port()
                stack.enter_context(
                    service({**env, "PYTHONPATH": str(code)}, tmp_path / f"new-{new}", new, code, connections=4)
                )
                wait_until(lambda new=new: ready(new) == (200, "ready", NEXT), 60, "a ready process")
                traffic.ports[place] = new
                time.sleep(2)  # a load balancer would now stop sending requests to the old process
                assert stop(process) == 0, (tmp_path / f"old-{port}").read_text()
            time.sleep(5)
            traffic.end.set()
            traffic.join()
            print(f"statuses: {dict(traffic.statuses)}")
            assert not traffic.failures, "\n".join(traffic.failures[:10])
            assert traffic.statuses["200"] > 20 * RATE
    finally:
        for name, limit in before:
            admin(own_database, f"alter role {name} connection limit {limit}")


def ready(port: int) -> tuple[int, str, str]:
    answer = httpx.get(f"http://127.0.0.1:{port}/ready", timeout=30)
    return answer.status_code, answer.json().get("status", ""), answer.json().get("revision", "")
