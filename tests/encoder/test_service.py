"""An encoder has two loops, called lanes: one for the catalog and one for queries. An error of the query lane ends the
process.

The encoder reopens lost connections. At the end of a first backfill, it builds the indexes. It also encodes for models
that are added while it runs.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.engine import Database
from db.lifecycle import deferred_indexes
from db.roles import Role
from db.settings import Settings
from db.work import items as work
from db.work import requests
from encoder import model_watch, service
from encoder.lanes import queries
from encoder.models.loading import Model, load
from encoder.settings import EncoderSettings
from migrations.model_revisions import NewModel, add_model
from tests.support.images import load_drawings
from tests.support.processes import wait_until
from tests.support.tiny_models import make_clip


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
def test_an_error_of_the_query_lane_ends_the_process_with_that_error(
    clip_database: Database, models: dict[int, Model], stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> list[requests.Request]:
        raise ZeroDivisionError("the lane broke")

    monkeypatch.setattr(queries.requests, "begin", broken)
    thread, raised = run_in_thread(clip_database, models, stop)
    thread.join(60)
    assert not thread.is_alive()
    assert [str(error) for error in raised] == ["the lane broke"]
    with clip_database.connect(None) as conn:
        assert conn.scalar(text("select count(*) from shop_private.worker")) == 0


@pytest.mark.soak
def test_lost_connections_are_reopened(
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
    thread.join(60)
    assert not thread.is_alive()
    assert raised == []


@pytest.mark.parametrize("once", [True, False])
def test_a_first_backfill_defers_its_indexes_and_builds_them_at_the_end(
    clip_database: Database,
    models: dict[int, Model],
    stop: threading.Event,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    once: bool,
) -> None:
    monkeypatch.setattr(deferred_indexes, "MANY", 100)
    load_drawings(clip_database, tmp_path, 120)
    seen: list[set[str]] = []
    complete = work.complete

    def watched(*arguments: Any) -> int:
        seen.append(indexes(clip_database))
        return complete(*arguments)

    monkeypatch.setattr(work, "complete", watched)
    arguments = {"stop": stop, "once": once, "queries": False}
    thread = threading.Thread(target=service.run, args=(clip_database, models, EncoderSettings()), kwargs=arguments)
    thread.start()
    wait_until(
        lambda: indexes(clip_database) == {"clip_image_hnsw", "clip_title_hnsw"} and seen, 60, "two valid indexes"
    )
    stop.set()
    thread.join(60)
    assert seen[0] == set()
    with clip_database.connect(None) as conn:
        assert conn.scalar(text("select count(*) from shop.clip_image")) == 120
        assert conn.scalar(text("select count(*) from shop.deferred_index")) == 0


def indexes(database: Database) -> set[str]:
    """Returns the names of the valid HNSW indexes, which searches may use."""
    with database.connect(None) as conn:
        return set(
            conn.scalars(
                text(
                    "select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid "
                    "where c.relname like '%_hnsw' and i.indisvalid"
                )
            )
        )


def _until_alive(database: Database) -> None:
    def alive() -> bool:
        with database.connect(None) as conn:
            return bool(conn.scalar(text("select shop_private.encoder_alive(1::smallint)")))

    wait_until(alive, 60, "a connected encoder")


def test_a_model_that_is_added_while_the_encoder_runs_gets_vectors_and_answers_queries(
    clip_database: Database,
    models: dict[int, Model],
    stop: threading.Event,
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_watch, "SECONDS", 0.1)
    load_drawings(clip_database, tmp_path / "images", 10)
    raised: list[BaseException] = []

    def run() -> None:
        try:
            service.run(clip_database, models, EncoderSettings(device="cpu"), stop=stop, follow=True)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    _until_alive(clip_database)
    folder = make_clip(tmp_path / "other", seed=5)
    added = load(str(folder))
    add_model(clip_database, settings, NewModel("other", str(folder), added.revision, added.dimension))
    add_model(clip_database, settings, NewModel("broken", str(tmp_path / "nowhere"), "revision", 8))
    with clip_database.connect(None) as conn:
        conn = conn.execution_options(isolation_level="AUTOCOMMIT")
        for table in ("clip_image", "other_image", "other_title"):
            count = text(f"select count(*) from shop.{table}")
            wait_until(lambda count=count: conn.scalar(count) == 10, 60, f"ten rows in {table}")
        alive = text("select shop_private.encoder_alive(2::smallint)")
        wait_until(lambda: conn.scalar(alive), 60, "an encoder for queries of the added model")
        assert conn.scalar(text("select count(*) from shop_private.worker")) == 1
    stop.set()
    thread.join(60)
    assert not thread.is_alive()
    assert raised == []
