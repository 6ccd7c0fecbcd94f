"""The metrics of the jobs count loads, feeds and failed feeds, and tell how long a load waits."""

import asyncio
import threading

from db.engine import Database
from db.jobs import metrics
from db.jobs.worker import Ended
from tests.jobs.workers import add_feed, working
from tests.support.databases import admin
from tests.support.processes import wait_until


def test_the_metrics_count_loads_and_failed_feeds_and_tell_how_long_a_load_waits(database: Database) -> None:
    hold = threading.Event()

    async def load(name: str, arguments: list[str], seconds: float) -> Ended:
        while not hold.is_set() and name == "slow":
            await asyncio.sleep(0.05)
        return Ended(6 if name == "wrong" else 0, "")

    with working(database, load) as [one]:
        registry = metrics.registry(one)

        def found(name: str, **labels: str) -> float | None:
            return registry.get_sample_value(f"windowshop_{name}", labels)

        assert found("jobs_ready") == 1
        assert [found("feed_loads_total", result=result) for result in ("succeeded", "failed")] == [0, 0]
        add_feed(database, "wrong")
        wait_until(lambda: (found("feeds"), found("feeds_failed")) == (1, 1), 60, "a feed that failed")
        wait_until(lambda: found("feeds_late_seconds") == 0, 60, "no load that waits")
        add_feed(database, "slow")
        states = "select lock, status::text from shop_jobs.procrastinate_jobs where task_name = 'load_feed' order by id"
        wait_until(lambda: admin(database, states) == [("feed:slow", "doing")], 60, "a running load")
        add_feed(database, "next")  # one load runs at a time
        waiting = [("feed:slow", "doing"), ("feed:next", "todo")]
        wait_until(lambda: admin(database, states) == waiting, 60, "a load that waits")
        wait_until(lambda: (found("feeds_late_seconds") or 0) > 1, 60, "a load that has waited for a second")
        hold.set()
        results = ("succeeded", "failed")
        wait_until(lambda: [found("feed_loads_total", result=one) for one in results] == [2, 1], 60, "all loads")
        wait_until(lambda: found("feeds_late_seconds") == 0, 60, "no load that waits")
    assert (found("jobs_ready"), found("feeds")) == (0, None)
