"""An encoder that is stopped during an outage of the database ends without an error. A slow batch is reported as
slow."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.engine import Database
from db.errors import EncoderUnavailable
from db.roles import Role
from encoder import service
from encoder.models.loading import Model, load
from encoder.settings import EncoderSettings
from tests.support.databases import admin
from tests.support.servers.tcp_proxy import TcpProxy, tcp_proxy

SETTINGS = EncoderSettings(device="cpu")


class Running:
    def __init__(self, database: Database, model: Model, settings: EncoderSettings) -> None:
        self.stop, self.summary, self.error = threading.Event(), None, None
        ready = threading.Event()

        def run() -> None:
            try:
                self.summary = service.run(database, {1: model}, settings, stop=self.stop, on_ready=ready.set)
            except BaseException as error:
                self.error = error
                ready.set()

        self.thread = threading.Thread(target=run, name="encoder of a test")
        self.thread.start()
        assert ready.wait(60)


@pytest.fixture(scope="module")
def model(clip_folder: Path) -> Model:
    return load(str(clip_folder))


@contextmanager
def running(database: Database, model: Model, **settings: Any) -> Iterator[tuple[Running, TcpProxy]]:
    """Run an encoder that reaches the database through a proxy."""
    url = database.write
    with tcp_proxy(str(url.host), int(url.port or 0)) as proxy:
        through = replace(database, write=url.set(port=proxy.port))
        encoder = Running(through, model, SETTINGS.model_copy(update=settings))
        try:
            yield encoder, proxy
        finally:
            encoder.stop.set()
            encoder.thread.join(60)
            assert not encoder.thread.is_alive()


@pytest.mark.parametrize("outage", [TcpProxy.refuse, TcpProxy.silence])
def test_an_encoder_that_is_stopped_during_an_outage_ends_without_an_error(
    clip_database: Database, model: Model, outage: Callable[[TcpProxy], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SILENT_SECONDS", 0.5)
    with running(clip_database, model) as (encoder, proxy):
        outage(proxy)
        began = time.monotonic()
        encoder.stop.set()
        encoder.thread.join(60)
        assert time.monotonic() - began < 30
        assert encoder.error is None
        assert encoder.summary is not None and encoder.summary.left is None


def test_a_query_in_a_batch_that_takes_too_long_gets_the_error_of_a_slow_encoder(
    clip_database: Database, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends the connection of the query lane after `hung_seconds`, and the lane connects again."""
    began, slow = threading.Event(), threading.Event()

    def encode_texts(_model: Model, _texts: list[str]) -> Any:
        began.set()
        slow.wait(30)
        raise AssertionError("the batch was slow")

    with running(clip_database, model, hung_seconds=1):
        monkeypatch.setattr(Model, "encode_texts", encode_texts)
        try:
            with clip_database.connect(Role.ANALYST) as conn:
                conn.execute(text("set shop.timeout_ms = 4000"))
                with pytest.raises(EncoderUnavailable, match="did not answer within 4000 ms") as raised:
                    conn.execute(text("select shop.clip_text('a slow query')"))
            assert raised.value.sqlstate == "WS002"
            assert began.is_set()
            assert admin(clip_database, "select encoder from shop_private.encoder_state()") == [(True,)]
        finally:
            slow.set()
