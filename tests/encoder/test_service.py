"""The encoder as a whole: no part of it dies unnoticed."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from db import requests
from db.engine import Database
from db.roles import Role
from encoder import queries, service
from encoder.models import Model, load
from encoder.settings import EncoderSettings


@pytest.fixture
def models(clip_folder: Path) -> dict[int, Model]:
    return {1: load(str(clip_folder))}


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def run_in_thread(
    database: Database, models: dict[int, Model], stop: threading.Event
) -> tuple[threading.Thread, list[BaseException]]:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            service.run(database, models, EncoderSettings(), stop=stop)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_query_lane_that_breaks_ends_the_process_with_its_error(
    clip_database: Database, models: dict[int, Model], stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> list[requests.Request]:
        raise ZeroDivisionError("the lane broke")

    monkeypatch.setattr(queries.requests, "begin", broken)
    thread, raised = run_in_thread(clip_database, models, stop)
    thread.join(20)
    assert not thread.is_alive()
    assert [str(error) for error in raised] == ["the lane broke"]
    with clip_database.connect(None) as conn:
        assert conn.scalar(text("select count(*) from shop_private.worker")) == 0


def test_lost_connections_are_made_again(
    clip_database: Database, models: dict[int, Model], stop: threading.Event
) -> None:
    thread, raised = run_in_thread(clip_database, models, stop)
    ask = text("select shop.clip_text(:query) is not null")
    for number in range(3):
        with clip_database.connect(Role.ANALYST) as conn:
            conn.execute(text("set shop.timeout_ms = 20000"))
            _until_alive(clip_database)
            assert conn.scalar(ask, {"query": f"query {number}"})
        with clip_database.connect(None) as conn, conn.begin():
            cut = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'shop_encoder' and datname = "
            conn.execute(text(cut + "current_database()"))
    _until_alive(clip_database)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    assert raised == []


def _until_alive(database: Database) -> None:
    from processes import wait_until

    def alive() -> bool:
        with database.connect(None) as conn:
            return not conn.scalar(text("select pg_try_advisory_xact_lock(740000, 1)"))

    wait_until(alive, 20, "an encoder connected")
