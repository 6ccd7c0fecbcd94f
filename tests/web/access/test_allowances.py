"""The answer to a refused request says after how many seconds a request of the same cost will be allowed. For example,
a multi-search costs as much as its searches together. A refused request does not count against the limit."""

import asyncio
import random

import pytest
from limits import RateLimitItemPerHour, RateLimitItemPerMinute

from tests.support.web_service import Serve
from web.http import allowances
from web.http.allowances import Allowances


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("limits.aio.storage.memory.time", clock)
    monkeypatch.setattr(allowances, "time", clock)
    return clock


def test_a_cost_fits_after_the_stated_wait_and_not_much_earlier(clock: Clock) -> None:
    chance = random.Random(1)

    async def run() -> int:
        refused = 0
        for _ in range(200):
            kind = chance.choice((RateLimitItemPerMinute, RateLimitItemPerHour))
            limit, spent = kind(chance.choice((10, 600))), Allowances()
            for _ in range(chance.randint(1, 40)):
                clock.now += chance.random() * limit.get_expiry() / 3
                await spent.spend(limit, "client", cost=chance.randint(1, limit.amount))
            cost = chance.randint(1, limit.amount)
            if await spent.fits(limit, "client", cost=cost):
                continue
            refused += 1
            wait, before = await spent.wait(limit, "client", cost=cost), clock.now
            clock.now = before + wait - 1.5
            assert wait <= 1 or not await spent.fits(limit, "client", cost=cost)
            clock.now = before + wait
            assert await spent.spend(limit, "client", cost=cost)
        return refused

    assert asyncio.run(run()) > 50


def test_a_refused_multi_search_spends_nothing_and_states_the_wait_for_its_cost(serve: Serve) -> None:
    searches = {"searches": [{"no_such_option": 1}] * 20}
    with serve(rate_per_address=25) as client:
        assert client.post("/v1/multi-search", json=searches).status_code == 200
        refused = [client.post("/v1/multi-search", json=searches) for _ in range(8)]
        assert {answer.status_code for answer in refused} == {429}
        assert "This request counts as 20 requests." in refused[0].json()["detail"]
        # The request fits when fewer than 6 of the 20 earlier requests still count, which takes about 42 s or more.
        assert all(int(answer.headers["Retry-After"]) > 30 for answer in refused)
        assert int(client.get("/v1/catalogs").headers["RateLimit"].split(";")[1].removeprefix("r=")) >= 4


def test_a_multi_search_above_the_whole_limit_is_not_told_to_wait(serve: Serve) -> None:
    with serve(rate_per_address=10) as client:
        answer = client.post("/v1/multi-search", json={"searches": [{}] * 20})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "The request counts as 20 requests, and the limit is 10 requests per minute."
