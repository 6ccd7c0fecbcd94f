"""The primary is killed, and the standby is promoted. The processes find the new primary without a command, because
WINDOWSHOP_DATABASE_URL names both servers."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from db.engine import Database, open_database
from db.lifecycle.serving import serve_model
from db.settings import Settings
from encoder.models.loading import load
from migrations.model_revisions import NewModel, add_model
from migrations.upgrade import upgrade
from tests.support.http_load import service
from tests.support.images import load_drawings
from tests.support.postgres.cluster import Cluster
from tests.support.processes import free_port, running_encoder, wait_until
from tests.web.access.test_access import bearer, token

pytestmark = pytest.mark.soak
CACHED = tuple(f"cached text {n}" for n in range(5))
REQUESTS, SECONDS, DIES_AFTER = 600, 60.0, 10.0
BACK_WITHIN = 10.0  # seconds after the promotion


@dataclass
class Site:
    primary: Cluster
    standby: Cluster
    database: Database
    env: dict[str, str]


@pytest.fixture
def site(server_home: Path, public_folder: Path, clip_folder: Path, tmp_path: Path) -> Iterator[Site]:
    folder = public_folder / "promotion"
    primary = Cluster.create(server_home, folder / "primary", "max_connections = 100")
    primary.start()
    primary.sql("create database shop")
    standby = Cluster(server_home, folder / "standby" / "data", free_port())
    standby.own(standby.data.parent)
    try:
        primary.done("pg_basebackup", "--pgdata", standby.data, "-R", "--checkpoint=fast", "-h127.0.0.1", "-Upostgres")
        standby.start()
        writing = primary.url("shop").replace(str(primary.port), f"{primary.port},127.0.0.1:{standby.port}")
        home = tmp_path / "home"
        settings = Settings(
            home=home, database_url=SecretStr(writing), read_database_url=SecretStr(standby.url("shop"))
        )
        with open_database(settings) as database:
            upgrade(database, settings)
            model = load(str(clip_folder))
            add_model(database, settings, NewModel("clip", model.source, model.revision, model.dimension))
            serve_model(database, "clip")
            load_drawings(database, tmp_path / "images", 30)
            yield Site(
                primary,
                standby,
                database,
                {
                    **{name: value for name, value in os.environ.items() if not name.startswith("WINDOWSHOP_")},
                    "WINDOWSHOP_DATABASE_URL": writing,
                    "WINDOWSHOP_READ_DATABASE_URL": standby.url("shop"),
                    "WINDOWSHOP_HOME": str(home),
                    "HF_HUB_OFFLINE": "1",
                },
            )
    finally:
        for cluster in (primary, standby):
            cluster.run("pg_ctl", "stop", "-w", f"-D{cluster.data}", "-m", "immediate")


def kill(cluster: Cluster) -> None:
    os.kill(int((cluster.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)


class Client:
    def __init__(self, address: str, key: str) -> None:
        self._http = httpx.Client(base_url=address, headers=bearer(key), timeout=30)

    def search(self, query: str) -> Any:
        answer = self._http.post("/search/text", json={"query": query, "top_k": 3})
        return answer.json() | {"status_code": answer.status_code}

    def ready(self) -> Any:
        answer = self._http.get("/ready")
        return answer.json() | {"status_code": answer.status_code}

    def put(self) -> int:
        product = {"sku": f"put {time.monotonic()}", "title": "A product"}
        return self._http.put("/products", json={"products": [product]}).status_code


def during_the_outage(client: Client, primary: Cluster) -> Counter[str]:
    """Send REQUESTS searches in SECONDS s, half of them for new texts. Kill the primary after DIES_AFTER s."""
    outcomes: Counter[str] = Counter()

    def ask(number: int, is_away: bool) -> None:
        query = f"thing number {number}" if number % 2 else CACHED[number % len(CACHED)]
        answer = client.search(query)
        kind = "new" if number % 2 else "cached"
        how = "failed" if answer["status_code"] != 200 else "by keywords" if answer["degraded"] else "by vector"
        outcomes[f"{kind} {'after' if is_away else 'before'}: {how}"] += 1

    began, is_away = time.monotonic(), False
    with ThreadPoolExecutor(32) as threads:
        for number in range(REQUESTS):
            time.sleep(max(0.0, began + number * SECONDS / REQUESTS - time.monotonic()))
            if not is_away and time.monotonic() > began + DIES_AFTER:
                kill(primary)
                is_away = True
            threads.submit(ask, number, is_away)
    return outcomes


def seconds_until(condition: Callable[[], bool], since: float) -> float:
    wait_until(condition, 60, "the end of the outage")
    return time.monotonic() - since


def test_after_the_primary_is_killed_no_search_fails_and_writes_soon_work(site: Site, tmp_path: Path) -> None:
    port = free_port()
    key = token(site.database, "search", "write")
    with (
        running_encoder(site.env, tmp_path / "encoder.log"),
        service(site.env, tmp_path / "web.log", port, api_keys="on", rate_per_key=0) as process,
    ):
        client = Client(f"http://127.0.0.1:{port}", key)
        for query in CACHED:
            wait_until(lambda query=query: client.search(query).get("degraded") is False, 60, "a cached text")
        assert client.ready()["reads"] == "standby"
        outcomes = during_the_outage(client, site.primary)
        print(dict(outcomes))
        assert sum(outcomes.values()) == REQUESTS
        assert not any(what.endswith("failed") for what in outcomes)
        assert outcomes["cached after: by vector"] > 200
        assert outcomes["new after: by keywords"] > 200
        state = client.ready()
        assert (state["status_code"], state["primary"], state["reads"]) == (200, False, "standby")
        assert client.put() == 503

        site.standby.done("pg_ctl", "promote", "-w", f"-D{site.standby.data}")
        promoted = time.monotonic()
        with ThreadPoolExecutor(3) as threads:
            back = {
                "writes": threads.submit(seconds_until, lambda: client.put() == 200, promoted),
                "/ready": threads.submit(seconds_until, lambda: client.ready().get("primary") is True, promoted),
                "new texts": threads.submit(
                    seconds_until, lambda: client.search(f"asked {time.monotonic()}").get("degraded") is False, promoted
                ),
            }
            seconds = {what: round(found.result(), 1) for what, found in back.items()}
        print(seconds)
        assert all(found <= BACK_WITHIN for found in seconds.values())
        assert client.ready()["encoder"]["running"] is True
        assert process.poll() is None
