"""Events are stored with their details. Faulty events of a batch are refused, and the others are stored. A batch is
refused as a whole if none of its events is good, or if the key does not allow the catalog of an event."""

from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, text

from db import api_keys
from db.catalog import catalogs
from db.engine import Database
from tests.support.web_service import SETTINGS, Serve, served

FULL = {
    "kind": "purchase", "visitor": "v-1", "session": "s-1", "search_id": "5b0f2f0f4e1d4d0d8a3c1a5e9f7b6c21",
    "time": "2026-01-31T10:30:00+01:00", "sku": "sku 1", "rank": 2, "position": 5, "quantity": 2, "value": 139.8,
    "currency": "EUR",
}  # fmt: skip


def send(client: httpx.Client, *events: Any, path: str = "/v1/events") -> httpx.Response:
    return client.post(path, json={"events": list(events)})


def rows(database: Database) -> list[Any]:
    columns = "kind, session, search_id, occurred_at::text, position, quantity, value::text, currency"
    with database.connect(None) as conn:
        conn.execute(text("set time zone 'UTC'"))
        return [tuple(row) for row in conn.execute(text(f"select {columns} from shop.event order by event_id"))]


def test_the_details_of_an_event_are_stored(serve: Serve, own_database: Database) -> None:
    with serve(own_database) as client:
        found = client.post("/v1/search", json={"query": "bag"}).json()
        view = {"kind": "view", "search_id": found["search_id"], "sku": found["results"][0]["sku"]}
        assert send(client, FULL, view, {"kind": "wishlist", "sku": "sku 2"}).json() == {"recorded": 3}
        assert send(client, FULL, path="/events").json() == {"recorded": 1}
    stored = rows(own_database)
    expected = ("purchase", "s-1", FULL["search_id"], "2026-01-31 09:30:00+00", 5, 2, "139.80", "EUR")
    assert stored[0] == stored[3] == expected
    assert stored[1] == ("view", None, found["search_id"], None, None, None, None, None)
    assert stored[2][0] == "wishlist"


def test_only_the_faulty_events_of_a_batch_are_refused(serve: Serve, own_database: Database) -> None:
    faulty = [
        ({"kind": "look"}, "Invalid enum value 'look'"),
        ({**FULL, "time": "2126-01-01T00:00:00Z"}, "more than a day in the future"),
        ({**FULL, "time": "2026-01-01T00:00:00"}, "timezone"),
        ({**FULL, "visitor": "a\0b"}, "NUL"),
        ({**FULL, "quantity": 0}, "$.quantity"),
        ({**FULL, "value": -1}, "$.value"),
        ({**FULL, "currency": "eur"}, "$.currency"),
        ({**FULL, "position": 0}, "$.position"),
        ({**FULL, "search_id": "x" * 65}, "$.search_id"),
        ({**FULL, "nonsense": 1}, "nonsense"),
        (7, "Expected `object`"),
        ({"kind": "click"}, "needs sku, search_id or query"),
        ({**FULL, "time": "0001-01-01T00:00:00Z"}, "more than ten years ago"),
        ({**FULL, "catalog": "mian"}, "there is no catalog mian"),
    ]
    with serve(own_database) as client:
        answer = send(client, *(event for event, _ in faulty), FULL).json()
        assert answer["recorded"] == 1
        assert [one["place"] for one in answer["refused"]] == list(range(len(faulty)))
        for (_, reason), one in zip(faulty, answer["refused"], strict=True):
            assert reason in one["reason"]
        alone = send(client, {**FULL, "visitor": "a\0b"})
        assert alone.status_code == 422
        assert "NUL" in alone.json()["detail"]
    assert len(rows(own_database)) == 1


def test_the_path_without_v1_stores_events_that_only_the_path_with_v1_refuses(
    serve: Serve, own_database: Database
) -> None:
    events = ({"kind": "click"}, {**FULL, "catalog": "mian"}, {**FULL, "time": "2015-12-31T00:00:00Z"})
    with serve(own_database) as client:
        assert send(client, *events, path="/events").json() == {"recorded": 3}
        assert send(client, *events).status_code == 422
    assert len(rows(own_database)) == 3


def test_the_catalogs_of_a_batch_are_read_by_one_statement(
    serve: Serve, own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[set[str]] = []
    existing = catalogs.existing

    def counted(conn: Connection, names: set[str]) -> set[str]:
        read.append(names)
        return existing(conn, names)

    monkeypatch.setattr(catalogs, "existing", counted)
    monkeypatch.setattr(catalogs, "exists", None)
    with serve(own_database) as client:
        answer = send(client, *({**FULL, "catalog": f"c{n}"} for n in range(999)), FULL).json()
    assert (answer["recorded"], len(answer["refused"])) == (1, 999)
    assert [len(names) for names in read] == [1000]


def test_a_batch_is_refused_if_the_key_does_not_allow_the_catalog_of_an_event(own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        key = api_keys.create(conn, "main-only", ["search"], catalogs=["main"])
    with served(own_database, SETTINGS.model_copy(update={"api_keys": "on"})) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        assert send(client, FULL).json() == {"recorded": 1}
        assert send(client, FULL, {**FULL, "catalog": "berlin"}).status_code == 403
    assert len(rows(own_database)) == 1
