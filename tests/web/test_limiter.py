"""A limiter counts work in a thread until the work ends, even if the request that started the work ends earlier."""

import asyncio
import gc
import threading

import pytest

from web.http.limiter import ConcurrencyLimiter
from web.http.problems import ApiError


def test_a_slot_stays_taken_until_the_work_of_a_cancelled_request_has_ended() -> None:
    async def run() -> None:
        limiter, end = ConcurrencyLimiter(1, 0), threading.Event()
        request = asyncio.ensure_future(limiter.in_thread(end.wait, 60))
        await asyncio.sleep(0.05)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert limiter.active == 1
        with pytest.raises(ApiError):
            await limiter.in_thread(end.is_set)
        end.set()
        while limiter.active:
            await asyncio.sleep(0.01)
        assert await limiter.in_thread(end.is_set)

    asyncio.run(asyncio.wait_for(run(), 60))


def test_an_error_of_the_work_after_its_request_has_ended_is_not_logged() -> None:
    logged: list[dict[str, object]] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
        limiter, end = ConcurrencyLimiter(1, 0), threading.Event()

        def work() -> None:
            end.wait(60)
            raise OSError

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await limiter.in_thread(work)
        end.set()
        while limiter.active:
            await asyncio.sleep(0.01)
        gc.collect()

    asyncio.run(asyncio.wait_for(run(), 60))
    assert logged == []


def test_an_error_of_the_work_frees_the_slot() -> None:
    async def run() -> None:
        limiter = ConcurrencyLimiter(1, 0)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await limiter.in_thread(divmod, 1, 0)

    asyncio.run(asyncio.wait_for(run(), 60))
