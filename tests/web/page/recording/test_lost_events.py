"""Events that cannot be written are counted. A click is left out if its search was not recorded."""

import time
from typing import Any

import pytest

from db.engine import Database
from db.errors import DatabaseError, DatabaseUnreachable
from tests.support.processes import wait_until
from tests.support.web_service import Serve
from tests.web.page.recording.test_recording import product_links, recorded, recording, rows
from web.page.recording import recorder


def test_events_that_cannot_be_written_before_the_service_ends_are_counted(
    serve: Serve, own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from web.http.database import Pools

    counters: list[Any] = []
    make = recorder.Recorder.__init__

    def made(self: recorder.Recorder, pools: Pools, counter: Any) -> None:
        counters.append(counter)
        make(self, pools, counter)

    async def fails(*_: Any, **__: Any) -> Any:
        raise DatabaseUnreachable("the primary is down")

    monkeypatch.setattr(recorder.Recorder, "__init__", made)
    with recording(serve, own_database) as client:
        with monkeypatch.context() as down:
            down.setattr(Pools, "write_behind", fails)
            client.get("/?q=number1")
            time.sleep(0.1)  # the recorder tries, and waits RETRY_SECONDS
        client.get("/?q=number2")
    # When the service ends, the recorder tries again at once, without waiting RETRY_SECONDS.
    assert [row.query for row in rows(own_database)] == ["number1", "number2"]
    with recording(serve, own_database) as client:
        monkeypatch.setattr(Pools, "write_behind", fails)
        client.get("/?q=number3")
        client.get("/?q=number4")
    assert len(rows(own_database)) == 2
    assert counters[-1].labels("lost")._value.get() == 2


def test_a_click_on_a_search_that_was_not_recorded_is_not_recorded(
    serve: Serve, own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from web.http.database import Pools

    write = Pools.write_behind
    errors = [DatabaseError("a statement failed")]

    async def fails_once(self: Pools, call: Any, *, seconds: float) -> Any:
        if errors:
            raise errors.pop()
        return await write(self, call, seconds=seconds)

    with recording(serve, own_database) as client:
        with monkeypatch.context() as typing:
            typing.setattr(recorder, "WAIT_SECONDS", 60.0)
            short, whole = (client.get(f"/?q={typed}").text for typed in ("bag", "bag number12"))
            client.get(product_links(short)[0])  # not recorded: the visitor typed on, so "bag" was left out
            client.get(product_links(whole)[0])
            assert [row.query for row in recorded(own_database, 2)] == ["bag number12", None]
        monkeypatch.setattr(recorder, "RETRY_SECONDS", 0.0)
        monkeypatch.setattr(Pools, "write_behind", fails_once)
        lost = client.get("/?q=shoes").text
        wait_until(lambda: not errors, 30, "the failure")
        time.sleep(0.1)
        client.get(product_links(lost)[0])
        recorded(own_database, 2)
        again = client.get("/?q=shoes").text
        client.get(product_links(again)[0])
        assert [row.kind for row in recorded(own_database, 4)][2:] == ["search", "click"]
