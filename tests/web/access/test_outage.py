"""If the primary does not answer, API keys are looked up at the read address. If no database answers, a key works for
ten minutes after it was last found, but not after it expires. The metrics count a refused request under its route."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from db.api_keys import ApiKey
from db.engine import Database
from db.errors import DatabaseUnreachable
from db.roles import Role
from tests.support.processes import wait_until
from tests.support.web_service import SETTINGS, served
from tests.web.access.test_access import bearer, token
from web.http import access
from web.http.access import Access
from web.http.context import RequestContext
from web.http.metrics import Metrics
from web.http.problems import ApiError

KEY = ApiKey(1, "a-key", ["search"])


class Lookups:
    """Stands for the look-up of a key. `answer` is the key, None for an unknown key, or an error that is raised."""

    def __init__(self, answer: ApiKey | Exception | None) -> None:
        self.answer, self.count = answer, 0

    async def find(self, _token: str) -> ApiKey | None:
        self.count += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def admitted(checked: Access) -> str | None:
    """Sends a request with a key through `checked`. Returns the name of the key that was found. Raises the error
    of a refusal."""
    scope: Any = {
        "path": "/products/a",
        "headers": [(b"authorization", b"Bearer ws_token")],
        "client": ("127.0.0.1", 1),
        "state": {},
    }
    context = RequestContext("id", 0)
    context.attach_to(scope)
    asyncio.run(checked.admit(scope))
    return None if context.api_key is None else context.api_key.name


def made(lookups: Lookups) -> Access:
    return Access(SETTINGS, needs_keys=True, loopback_only=False, find_key=lookups.find, session_token=lambda _: None)


@pytest.mark.parametrize("error", [DatabaseUnreachable("no database answers"), TimeoutError()])
def test_a_key_that_was_found_works_while_no_database_answers(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "CACHE_SECONDS", 0)
    lookups = Lookups(KEY)
    checked = made(lookups)
    assert admitted(checked) == "a-key"
    lookups.answer = error
    assert [admitted(checked) for _ in range(5)] == ["a-key"] * 5
    assert lookups.count == 2  # after a failed look-up, the next one comes RETRY_SECONDS later

    monkeypatch.setattr(access, "REMEMBER_SECONDS", -1)
    with pytest.raises(type(error)):
        admitted(checked)


def test_a_key_that_was_never_found_is_refused_while_no_database_answers() -> None:
    with pytest.raises(DatabaseUnreachable):
        admitted(made(Lookups(DatabaseUnreachable("no database answers"))))


def test_a_revoked_key_is_forgotten_and_an_expired_key_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "CACHE_SECONDS", 0)
    lookups = Lookups(KEY)
    checked = made(lookups)
    assert admitted(checked) == "a-key"
    lookups.answer = None
    with pytest.raises(ApiError):
        admitted(checked)
    lookups.answer = DatabaseUnreachable("no database answers")
    with pytest.raises(DatabaseUnreachable):
        admitted(checked)

    lookups.answer = ApiKey(2, "old", ["search"], expires_at=datetime.now(UTC) - timedelta(seconds=1))
    checked = made(lookups)
    assert admitted(checked) == "old"  # the database returned the key, so the service accepts it
    lookups.answer = DatabaseUnreachable("no database answers")
    with pytest.raises(DatabaseUnreachable):
        admitted(checked)


def test_keys_are_read_at_the_read_address_while_the_primary_does_not_answer(own_database: Database) -> None:
    headers = bearer(token(own_database, "search", "write"))
    read = own_database.url(Role.WEB_READER)
    dead = own_database.url(Role.WEB_WRITER).set(port=9)
    with served(Database(dead, read, own_database.roles), SETTINGS.model_copy(update={"api_keys": "on"})) as client:
        answer = client.post("/search/text", json={"query": "bag", "top_k": 3}, headers=headers)
        assert (answer.status_code, len(answer.json()["results"])) == (200, 3)
        assert client.post("/search/text", json={"query": "bag"}, headers=bearer("ws_unknown")).status_code == 401
        assert client.delete("/products/sku 1", headers=headers).status_code == 503


def test_the_use_of_a_key_is_recorded_in_the_background(own_database: Database) -> None:
    headers = bearer(token(own_database, "search"))
    used = text("select count(*) from shop_private.api_key where last_used_at is not null")
    with (
        served(own_database, SETTINGS.model_copy(update={"api_keys": "on"})) as client,
        own_database.connect(None) as conn,
    ):
        assert client.get("/products/sku 1", headers=headers).status_code == 200
        conn = conn.execution_options(isolation_level="AUTOCOMMIT")
        wait_until(lambda: conn.scalar(used), 30, "a recorded use")


def test_refusals_are_counted_under_their_route(shop_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    every: list[Metrics] = []
    monkeypatch.setattr("web.server.Metrics", lambda: every.append(Metrics()) or every[-1])
    with served(shop_database, SETTINGS.model_copy(update={"api_keys": "on"})) as client:
        assert client.get("/products/sku 1", headers=bearer("ws_unknown")).status_code == 401
        assert client.post("/search/text", headers=bearer("ws_unknown")).status_code == 401
        assert client.get("/no/such/route", headers=bearer("ws_unknown")).status_code == 401
    counted = {
        (sample.labels["method"], sample.labels["route"])
        for family in every[0].requests.collect()
        for sample in family.samples
        if sample.name.endswith("_total") and sample.labels["status"] == "401"
    }
    assert counted == {("GET", "/products/{sku}"), ("POST", "/search/text"), ("GET", "unmatched")}
