"""The service handles overload, time limits, clients that disconnect, and SIGTERM."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from db.engine import Database
from db.lifecycle.label_advice import read_filters
from tests.support.processes import COMMAND, wait_until
from tests.support.web_service import Serve

SEARCH = {"query": "bag"}
STALLED = (
    "select count(*) from pg_stat_activity where datname = current_database() and state = 'active' "
    "and query like '%shop.search(%' and pid <> pg_backend_pid()"
)


@contextmanager
def stalled(database: Database) -> Iterator[None]:
    """Make every search wait for a lock until the context ends."""
    with database.connect(None) as conn, conn.begin():
        conn.execute(text("lock table shop.product in access exclusive mode"))
        yield


def searching(database: Database) -> int:
    with database.connect(None) as conn:
        return int(conn.scalar(text(STALLED)) or 0)


def timed(client: httpx.Client) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    return client.post("/search/text", json=SEARCH), time.monotonic() - began


def test_a_search_over_its_deadline_gets_504_and_is_cancelled_in_the_database(
    serve: Serve, own_database: Database
) -> None:
    with serve(own_database, deadline_ms=500) as client, stalled(own_database):
        answer, seconds = timed(client)
        assert answer.status_code == 504
        assert answer.json()["type"] == "urn:windowshop:problem:timeout"
        assert seconds < 10
        wait_until(lambda: searching(own_database) == 0, 60, "no search in the database")


def test_overload_returns_503_immediately_and_active_searches_finish(serve: Serve, own_database: Database) -> None:
    with serve(own_database, connections=2, queue=1) as client, ThreadPoolExecutor(8) as pool:
        with stalled(own_database):
            begun = [pool.submit(timed, client) for _ in range(3)]
            wait_until(lambda: searching(own_database) == 2, 60, "two running searches")
            time.sleep(0.2)
            refused = [pool.submit(timed, client).result() for _ in range(5)]
            ready = client.get("/health")
        assert min(seconds for _, seconds in refused) < 0.1  # a busy machine delays some answers, but not all
        for answer, _ in refused:
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:windowshop:problem:overloaded"
            assert int(answer.headers["retry-after"]) >= 1
        assert ready.status_code == 200
        assert [future.result()[0].status_code for future in begun] == [200] * 3


def test_requests_beyond_max_requests_get_503(serve: Serve, own_database: Database) -> None:
    with serve(own_database, max_requests=1) as client, ThreadPoolExecutor(1) as pool:
        with stalled(own_database):
            first = pool.submit(timed, client)
            wait_until(lambda: searching(own_database) == 1, 60, "a running search")
            assert timed(client)[0].status_code == 503
            assert client.get("/health").status_code == 200
        assert first.result()[0].status_code == 200


def test_a_search_whose_client_disconnects_is_cancelled(serve: Serve, own_database: Database) -> None:
    with serve(own_database) as client, stalled(own_database):
        with pytest.raises(httpx.ReadTimeout):
            client.post("/search/text", json=SEARCH, timeout=0.5)
        wait_until(lambda: searching(own_database) == 0, 60, "the cancellation of the search")


def test_health_returns_200_and_ready_returns_503_without_a_database(serve: Serve, shop_database: Database) -> None:
    nowhere = shop_database.write.set(port=1)
    with serve(replace(shop_database, write=nowhere, read=nowhere)) as client:
        assert client.get("/health").status_code == 200
        for answer in (client.get("/ready"), client.post("/search/text", json=SEARCH)):
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:windowshop:problem:database-unavailable"
            assert "127.0.0.1" not in answer.text


def test_connections_that_the_server_closed_are_replaced_without_an_error(serve: Serve, own_database: Database) -> None:
    with serve(own_database) as client:
        assert client.post("/search/text", json=SEARCH).status_code == 200
        with own_database.connect(None) as conn:
            conn.execute(
                text(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                    "and pid <> pg_backend_pid()"
                )
            )
        assert client.post("/search/text", json=SEARCH).status_code == 200


# --- the service as a process


@pytest.fixture
def service_process(
    own_database: Database, environment: Callable[[Database], dict[str, str]], tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[bytes], Path, str]]:
    log = tmp_path / "log"
    env = {**environment(own_database), "WINDOWSHOP_WEB_METRICS_PORT": "0", "WINDOWSHOP_WEB_API_KEYS": "off"}
    env["WINDOWSHOP_LOG_FORMAT"] = "json"
    env["WINDOWSHOP_WEB_LOG_LABELS"] = "true"
    with log.open("wb") as output:
        running = subprocess.Popen([*COMMAND, "serve", "--port", "0"], env=env, stderr=output)
    try:
        wait_until(lambda: "Serving at" in log.read_text() or running.poll() is not None, 60, "an address")
        address = log.read_text().split("Serving at ")[1].split('"')[0]
        wait_until(lambda: _answers(address), 60, "an answer")
        yield running, log, address
    finally:
        running.kill()
        running.wait()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health").status_code == 200
    except httpx.TransportError:
        return False


def test_the_service_finishes_open_requests_after_sigterm(
    service_process: tuple[subprocess.Popen[bytes], Path, str], own_database: Database
) -> None:
    running, _, address = service_process
    answers: list[int] = []
    ask = threading.Thread(
        target=lambda: answers.append(httpx.post(f"{address}/search/text", json=SEARCH, timeout=20).status_code)
    )
    with stalled(own_database):
        ask.start()
        wait_until(lambda: searching(own_database) == 1, 60, "a running search")
        os.kill(running.pid, signal.SIGTERM)
        time.sleep(0.3)
    ask.join()
    assert answers == [200]
    assert running.wait(60) == 0


def test_the_log_has_a_line_per_request_and_filters_of_answered_searches_but_no_query(
    service_process: tuple[subprocess.Popen[bytes], Path, str],
) -> None:
    running, log, address = service_process
    asked = {"brand": ["acme", "other"], "title": {"contains": "secret"}}
    body = {"query": "a secret wish", "filter": asked}
    httpx.post(f"{address}/search/text", json=body, headers={"X-Request-ID": "mine"})
    refused = {**body, "filter": {"brand": ["unanswered"] * 10_001}}
    assert httpx.post(f"{address}/search/text", json=refused).status_code == 422
    httpx.get(f"{address}/nowhere?secret=wish")
    running.terminate()
    running.wait(60)
    text_ = log.read_text()
    assert "secret" not in text_
    assert "unanswered" not in text_
    lines = [json.loads(line) for line in text_.splitlines()]
    [search] = [line for line in lines if line.get("request_id") == "mine"]
    assert search | {"status": 200, "route": "/search/text", "method": "POST", "event": "request"} == search
    assert lines[-1]["route"] == "unmatched"
    filters = read_filters(text_.splitlines())
    assert (filters.searches, filters.skipped) == (1, 0)
    assert sorted(filters.values) == [("brand", '"acme"'), ("brand", '"other"'), ("catalog", '"main"')]


def test_an_address_in_use_is_reported(
    service_process: tuple[subprocess.Popen[bytes], Path, str],
    own_database: Database,
    environment: Callable[[Database], dict[str, str]],
) -> None:
    port = service_process[2].rpartition(":")[2]
    done = subprocess.run(
        [*COMMAND, "serve", "--port", port], env=environment(own_database), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "cannot listen" in done.stderr
