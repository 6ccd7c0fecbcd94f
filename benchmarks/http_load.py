"""Requests to a web service from a process of its own, so that asking does not slow down answering more than it must.

`Asking` starts it: `python -m benchmarks.http_load` reads a Load as JSON and writes what came of it. With a rate
requests start when their time has come, however many are still open (which is what overload means); without one each
client asks again when it has its answer.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.report import quantile

NO_ANSWER = 0  # in place of a status

One = Callable[[int], Coroutine[Any, Any, int]]  # asks the request of that number, returns its status


@dataclass(frozen=True)
class Load:
    """`texts` are searched one after the other, over and over."""

    address: str
    texts: Sequence[str]
    seconds: float
    clients: int = 1
    rate: float | None = None  # requests a second
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    began: float  # seconds since the first request
    seconds: float
    status: int
    retry_after: bool
    request_id: str


@dataclass(frozen=True)
class Answers:
    seconds: float
    answers: list[Answer]

    def of(self, status: int) -> list[Answer]:
        return [answer for answer in self.answers if answer.status == status]

    def rate(self, status: int = 200) -> float:
        """Answers a second of this status."""
        return len(self.of(status)) / self.seconds

    def at(self, q: float, status: int = 200) -> float:
        """Seconds."""
        return quantile([answer.seconds for answer in self.of(status)] or [0.0], q)

    def counted(self) -> dict[int, int]:
        return dict(sorted(Counter(answer.status for answer in self.answers).items()))


class Asking:
    """A load on its way."""

    def __init__(self, load: Load) -> None:
        self._told = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed by `answers`; a pipe would fill
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.http_load"],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=self._told,
            text=True,
        )
        assert self._process.stdin is not None
        with self._process.stdin as stdin:
            json.dump(asdict(load), stdin)

    def goes_on(self) -> bool:
        return self._process.poll() is None

    def answers(self) -> Answers:
        """Waits for its end."""
        if code := self._process.wait():
            raise RuntimeError(f"the load generator ended with {code}")
        with self._told:
            self._told.seek(0)
            found = json.load(self._told)
        return Answers(found["seconds"], [Answer(*answer) for answer in found["answers"]])


def ask(load: Load) -> Answers:
    """Runs `load` to its end."""
    return Asking(load).answers()


async def _run(load: Load) -> Answers:
    answers: list[Answer] = []
    first = time.perf_counter()

    async def one(number: int) -> int:
        began, status, retry, request_id = time.perf_counter(), NO_ANSWER, False, f"load-{number}"
        body = {"query": load.texts[number % len(load.texts)]}
        try:
            async with session.post("/search/text", json=body, headers={"X-Request-ID": request_id}) as answer:
                await answer.read()
                status, retry = answer.status, "Retry-After" in answer.headers
        except (aiohttp.ClientError, TimeoutError):
            pass
        answers.append(Answer(began - first, time.perf_counter() - began, status, retry, request_id))
        return status

    async with aiohttp.ClientSession(
        load.address,
        headers=load.headers,
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(30),
    ) as session:
        if load.rate is None:
            await _closed(load, one, first)
        else:
            await _open(load, load.rate, one, first)
        seconds = time.perf_counter() - first
    return Answers(seconds, answers)


async def _closed(load: Load, one: One, first: float) -> None:
    numbers = iter(range(sys.maxsize))

    async def client() -> None:
        while time.perf_counter() - first < load.seconds:
            if await one(next(numbers)) == NO_ANSWER:
                await asyncio.sleep(0.05)  # the service is not there: no need to hurry

    await asyncio.gather(*(client() for _ in range(load.clients)))


async def _open(load: Load, rate: float, one: One, first: float) -> None:
    asked: set[asyncio.Future[int]] = set()
    for number in range(int(load.seconds * rate)):
        await asyncio.sleep(max(0, first + number / rate - time.perf_counter()))
        task = asyncio.ensure_future(one(number))
        asked.add(task)
        task.add_done_callback(asked.discard)
    await asyncio.gather(*asked)


if __name__ == "__main__":
    done = asyncio.run(_run(Load(**json.load(sys.stdin))))
    answers = [list(asdict(answer).values()) for answer in done.answers]
    json.dump({"seconds": done.seconds, "answers": answers}, sys.stdout)
