"""Runs jobs in this process, and adds feeds for them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from db.engine import Database
from db.jobs import feeds
from db.jobs.settings import JobsSettings
from db.jobs.worker import JobsWorker
from tests.support.processes import wait_until


@contextmanager
def working(database: Database, load: Any, count: int = 1, **settings: Any) -> Iterator[list[JobsWorker]]:
    """Run workers in threads of this process."""
    workers = [JobsWorker(database, JobsSettings(**settings), load) for _ in range(count)]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: all(worker.fault is None for worker in workers), 60, "workers that run")
        yield workers
    finally:
        for worker in workers:
            worker.stop()
        for thread in threads:
            thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


def add_feed(database: Database, name: str, *arguments: str, due: bool = True) -> None:
    with database.connect(None) as conn, conn.begin():
        feeds.add(conn, name, "0 0 1 1 *", arguments or ("https://shop.example/feed.csv",))
        if due:
            assert feeds.run_soon(conn, name)
