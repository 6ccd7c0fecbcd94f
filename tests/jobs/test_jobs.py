"""`windowshop jobs` loads feeds when they are due, refreshes the ranking signals, and deletes old rows. Two workers
run each job once, and a job of a killed process runs again."""

import json
import os
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from db import schema
from db.engine import Database
from db.errors import SchemaMismatch
from db.jobs import worker
from db.jobs.settings import JobsSettings
from db.jobs.worker import BATCH, Ended
from db.settings import Settings
from tests.jobs.workers import add_feed, working
from tests.support.databases import admin
from tests.support.processes import Command, free_port, wait_until, windowshop
from tests.support.schema_objects import later_schema
from windowshop import jobs

if TYPE_CHECKING:
    from tests.support.shop import Shop

FEED = "sku,title\n" + "".join(f"p{n},Product {n}\n" for n in range(3))
Environment = Callable[[Database], dict[str, str]]


def test_each_job_runs_once_while_two_workers_run(database: Database) -> None:
    loaded: list[tuple[str, list[str]]] = []

    async def load(name: str, arguments: list[str], seconds: float) -> Ended:
        loaded.append((name, arguments))
        return Ended(0, f"{name} is loaded")

    names = [f"feed-{n}" for n in range(20)]
    with working(database, load, count=2):
        for name in names:
            add_feed(database, name)
        wait_until(lambda: len(loaded) >= len(names), 60, "all loads")
        ended = "select count(*) from shop_private.feed where report = name || ' is loaded' and exit_code = 0"
        wait_until(lambda: admin(database, ended) == [(len(names),)], 30, "all results")
    assert sorted(name for name, _ in loaded) == sorted(names)
    assert {tuple(arguments) for _, arguments in loaded} == {("https://shop.example/feed.csv",)}
    assert admin(database, "select count(*) from shop_private.feed where due_at < clock_timestamp()") == [(0,)]
    assert admin(database, "select count(*) from shop_jobs.procrastinate_jobs where task_name = 'load_feed'") == [(0,)]
    assert admin(database, "select count(*) from shop_jobs.procrastinate_workers") == [(0,)]


def test_no_thread_is_left_when_the_worker_ends_with_an_error(database: Database) -> None:
    async def load(name: str, arguments: list[str], seconds: float) -> Ended:
        return Ended(0, "")

    def fails() -> None:
        raise RuntimeError("not ready")

    with pytest.raises(RuntimeError, match="not ready"):
        worker.JobsWorker(database, JobsSettings(), load).run(fails)
    assert "end waits" not in {thread.name for thread in threading.enumerate()}


def test_only_a_failed_load_that_may_succeed_later_is_tried_again(database: Database) -> None:
    async def load(name: str, arguments: list[str], seconds: float) -> Ended:
        return Ended(3, "no database answers", may_succeed_later=True) if name == "away" else Ended(6, "no such file")

    add_feed(database, "away")
    add_feed(database, "wrong")
    with working(database, load):
        ended = "select count(*) from shop_private.feed where ended_at is not null"
        wait_until(lambda: admin(database, ended) == [(2,)], 60, "both loads")
        waiting = (
            "select args ->> 'name', status::text, attempts from shop_jobs.procrastinate_jobs where lock is not null"
        )
        wait_until(
            lambda: admin(database, waiting) == [("away", "todo", 1)], 30, "a job that waits for its next attempt"
        )


def test_a_feed_that_is_due_while_it_is_loaded_is_not_loaded_twice_at_once(database: Database) -> None:
    started: list[str] = []
    go_on = threading.Event()

    async def load(name: str, arguments: list[str], seconds: float) -> Ended:
        import asyncio

        started.append(name)
        while not go_on.is_set():
            await asyncio.sleep(0.05)
        return Ended(0, "")

    with working(database, load, count=2):
        add_feed(database, "slow")
        wait_until(lambda: started, 60, "the load")
        add_feed(database, "slow")
        due = "select count(*) from shop_private.feed where due_at < clock_timestamp()"
        wait_until(lambda: admin(database, due) == [(0,)], 60, "the next check of the schedule")
        jobs = "select count(*) from shop_jobs.procrastinate_jobs where task_name = 'load_feed'"
        assert admin(database, jobs) == [(1,)]
        go_on.set()
    assert started == ["slow"]


def test_a_feed_is_not_loaded_twice_if_the_clock_of_the_process_is_behind(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(datetime):
        @classmethod
        def now(cls, zone: Any = None) -> datetime:
            return datetime.now(zone) - timedelta(hours=2)

    monkeypatch.setattr(worker, "datetime", Slow, raising=False)
    loaded: list[str] = []

    async def load(name: str, arguments: list[str], seconds: float) -> Ended:
        loaded.append(name)
        return Ended(0, "")

    admin(
        database,
        "insert into shop_private.feed (name, cron, arguments, due_at) "
        "values ('main', '@hourly', array['/feed.csv'], date_trunc('hour', now(), 'UTC'))",
    )
    with working(database, load):
        wait_until(lambda: loaded, 60, "the load")
        assert admin(database, "select due_at > clock_timestamp() from shop_private.feed") == [(True,)]
    assert loaded == ["main"]


def test_a_running_process_reports_a_schema_that_is_newer_than_its_code(database: Database) -> None:
    async def load(*_: Any) -> Ended:
        raise AssertionError

    def ready() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=10) as answer:
                return answer.status, json.load(answer)["status"]
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)["reason"]

    port = free_port()
    with working(database, load) as [one], jobs._probes(one, JobsSettings(port=port)):
        assert ready() == (200, "ready")
        later_schema(database, "9999", schema.HEAD)
        wait_until(lambda: ready() == (200, "behind"), 30, "a process that is behind")
        later_schema(database, "9999", "9998")
        wait_until(lambda: ready()[0] == 503, 30, "a process that is not ready")
        assert "serves only code from 9998 on" in ready()[1]
    with pytest.raises(SchemaMismatch, match="serves only code from 9998 on"), jobs.running(database, Settings()):
        pass


def test_signals_are_refreshed_and_old_events_and_queries_are_deleted_in_batches(shop: "Shop") -> None:
    shop.cache("old")
    shop.cache("new")
    shop.run("update shop.signal set refreshed_at = null")
    shop.run("update shop_private.query_embedding set created_at = now() - interval '91 days' where query = 'old'")
    shop.run(
        "insert into shop.event (at, kind) select now() - interval '366 days', 'search' "
        f"from generate_series(1, {BATCH + 10}); insert into shop.event (at, kind) values (now(), 'click')"
    )
    [batch] = shop.run("select shop_private.delete_old_events(365, 100)")[0]
    assert batch == 100

    async def load(*_: Any) -> Ended:
        raise AssertionError

    with working(shop.database, load):
        shop.run(
            "set search_path = shop_jobs; insert into procrastinate_jobs (queue_name, task_name, args) "
            "values ('site', 'delete_old', '{\"timestamp\": 0}'), ('site', 'refresh_signals', '{\"timestamp\": 0}'); "
            "reset search_path"
        )
        wait_until(lambda: shop.value("select count(*) from shop.event") == 1, 60, "old events to be deleted")
        left = "select array_agg(query) from shop_private.query_embedding"
        wait_until(lambda: shop.value(left) == ["new"], 30, "old queries to be deleted")
        refreshed = "select refreshed_at is not null from shop.signal where name = 'popularity'"
        wait_until(lambda: shop.value(refreshed), 30, "signals to be refreshed")


def test_a_job_of_a_dead_process_is_queued_again_or_fails_after_three_attempts(database: Database) -> None:
    job = (
        "set local search_path = shop_jobs; "
        "insert into procrastinate_workers (last_heartbeat) values (now() - interval '1 hour'); "
        "insert into procrastinate_jobs (queue_name, task_name, status, worker_id, attempts, lock) "
        "select 'feeds', 'load_feed', 'doing', max(id), {}, 'feed:{}' from procrastinate_workers"
    )
    admin(database, job.format(0, "a"))
    admin(database, job.format(2, "b"))
    admin(database, "update shop_jobs.procrastinate_workers set last_heartbeat = now() where id = 1")
    with database.connect(None) as conn, conn.begin():
        take_up = "select shop_private.take_up_jobs(30, 3)"
        assert conn.exec_driver_sql(take_up).scalar() == 1
        conn.exec_driver_sql("delete from shop_jobs.procrastinate_workers")
        assert conn.exec_driver_sql(take_up).scalar() == 1
    states = "select lock, status::text, attempts from shop_jobs.procrastinate_jobs order by lock"
    assert admin(database, states) == [("feed:a", "todo", 1), ("feed:b", "failed", 3)]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["Main", "/a.csv"], '"Main" cannot be the name of a feed'),
        (["main", "a.csv"], "PATH: a.csv is not an absolute path"),
        (["main", "https://ann:secret@shop.example/f.xml"], "an address must not contain a user name or password"),
        (["main", "-"], "a schedule cannot read a pipe"),
        (["main", "/a.csv", "--watch", "15m"], "--watch and a schedule exclude each other"),
        (["main", "/a.csv", "--sink"], "No such option: --sink"),
        (["main", "/a.csv", "--limit", "x"], "Input should be a valid integer"),
        (["main", "/a.csv", "/b.csv"], "unexpected extra argument"),
        (["main", "/a.csv", "--catalog", "Main"], '"Main" cannot be the name of a catalog'),
        (["main", "/a.csv", "--rejects", "x.csv"], "--rejects: x.csv is not an absolute path"),
    ],
)
def test_a_wrong_feed_is_refused(
    arguments: list[str], reason: str, database: Database, environment: Environment
) -> None:
    done = windowshop("feed", "add", *arguments, "--cron", "0 4 * * *", env=environment(database))
    assert done.returncode == 2, done.stderr
    assert reason in done.stderr and "Traceback" not in done.stderr


def test_commands_add_run_list_and_remove_a_feed(database: Database, environment: Environment, tmp_path: Path) -> None:
    env = environment(database)
    feed = tmp_path / "feed.csv"
    feed.write_text(FEED + "p9,\n")
    added = windowshop("feed", "add", "main", str(feed), "--cron", "0 4 * * *", "--sync", "--strict", env=env)
    assert added.returncode == 0 and "main is loaded next at" in added.stdout, added.stderr
    secret = windowshop("feed", "add", "b", "https://shop.example/f.xml?key=secret", "--cron", "@daily", env=env)
    assert secret.returncode == 0, secret.stderr
    log = tmp_path / "log"
    process = Command("jobs", env=env, output=log, errors=log)
    try:
        wait_until(lambda: log.exists() and "Jobs are running." in log.read_text(), 60, "running jobs")
        assert windowshop("feed", "run", "main", env=env).returncode == 0
        ended = "select exit_code from shop_private.feed where ended_at is not null"
        wait_until(lambda: admin(database, ended), 120, "the end of the load")
        assert admin(database, ended) == [(6,)], log.read_text()  # a row without a title is rejected
        listed = windowshop("feed", "list", env={**env, "COLUMNS": "200"})
        assert "exit code 6: " in listed.stdout and "https://shop.example/f.xml" in listed.stdout, listed.stdout
        assert "secret" not in listed.stdout
    finally:
        process.terminate()
    assert process.wait(30) == 0, log.read_text()
    assert admin(database, "select count(*) from shop.product") == [(3,)]
    assert (Path(env["WINDOWSHOP_HOME"]) / "feeds" / "main.rejects.csv").exists()
    assert "No job waits" in windowshop("jobs", "list", env=env).stdout
    assert windowshop("feed", "remove", "main", env=env).returncode == 0
    again = windowshop("feed", "remove", "main", env=env)
    assert again.returncode == 2 and 'there is no feed "main"' in again.stderr


def test_a_wrong_login_is_refused(database: Database, environment: Callable[..., dict[str, str]]) -> None:
    from db.roles import Role

    refused = windowshop("jobs", env=environment(database, Role.ENCODER))
    assert refused.returncode == 3
    assert "the login shop_encoder does not have the rights of shop_jobs" in refused.stderr


@pytest.mark.soak
def test_another_process_runs_the_load_of_a_killed_process(
    database: Database, environment: Environment, tmp_path: Path
) -> None:
    env = {**environment(database), "WINDOWSHOP_JOBS_DEAD_SECONDS": "3"}
    pipe = tmp_path / "feed.csv"
    os.mkfifo(pipe)  # a load that reads the pipe waits until somebody writes into it
    admin(
        database,
        "insert into shop_private.feed (name, cron, arguments, due_at) values "
        f"('main', '0 0 1 1 *', array['{pipe}'], now())",
    )
    logs = [tmp_path / f"log{n}" for n in range(2)]
    first = Command("jobs", env=env, output=logs[0], errors=logs[0])
    doing = "select count(*) from shop_jobs.procrastinate_jobs where status = 'doing' and task_name = 'load_feed'"
    wait_until(lambda: admin(database, doing) == [(1,)], 90, "a running load")
    children = f"/proc/{first.pid}/task/{first.pid}/children"
    [child] = wait_until(lambda: Path(children).read_text().split(), 30, "the process of the load")
    second = Command("jobs", env=env, output=logs[1], errors=logs[1])
    try:
        os.kill(first.pid, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{child}").exists(), 30, "the end of the killed process's child")
        pipe.unlink()
        pipe.write_text(FEED)
        ended = "select exit_code from shop_private.feed where ended_at is not null"
        wait_until(lambda: admin(database, ended) == [(0,)], 120, "the load by the other process")
        assert admin(database, "select count(*) from shop.product") == [(3,)]
    finally:
        second.terminate()
        assert second.wait(60) == 0


@pytest.mark.soak
def test_workers_continue_after_their_connections_are_closed(database: Database) -> None:
    loaded = threading.Event()

    async def load(name: str, arguments: list[str], seconds: float) -> Ended:
        loaded.set()
        return Ended(0, "")

    with working(database, load) as [one]:
        cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'shop_jobs'"
        assert admin(database, cut + " and datname = current_database()")[0][0] > 0
        add_feed(database, "main")
        assert loaded.wait(60)
        wait_until(lambda: one.fault is None, 60, "a worker without a fault")
