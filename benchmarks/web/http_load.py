"""Generates load for the web service, in a separate process that hardly slows the service down.

`Asking` starts the process: `python -m benchmarks.web.http_load` reads a Load as JSON and writes the answers. With a
rate, requests start on schedule even if many requests are still open, as in a real overload. The latency of such a
request counts from the time when the request was due. Without a rate, each client sends its next request when it has
the answer to its previous request.

The clients of a real shop run on other machines. Here the clients share processors with the service. So the clients use
little processor time (http_client.py), run in an operating-system session of their own and, where allowed, have a
higher priority. Otherwise the measured times would include the time for which clients wait for a processor.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.support.report import quantile
from benchmarks.web.http_client import Connections

NO_ANSWER = 0  # the status of a request without an answer
EXTRA_SECONDS = 30  # at the end of the load, open requests may take this much longer

One = Callable[[int, float], Coroutine[Any, Any, int]]  # sends one request: (number, due time) -> status


@dataclass(frozen=True)
class Load:
    """A load of searches, which take their texts from `texts` in turn, and then from the start of `texts` again."""

    address: str
    texts: Sequence[str]
    seconds: float
    clients: int = 1
    rate: float | None = None  # requests per second
    path: str = "/search/text"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    began: float  # the time when the request was due, in seconds after the first request
    seconds: float  # the time from when the request was due until its answer
    status: int
    retry_after: bool
    request_id: str
    late: float  # the part of `seconds` before the request was sent, which is the load generator's own delay


@dataclass(frozen=True)
class Answers:
    seconds: float
    answers: list[Answer]

    def of(self, status: int) -> list[Answer]:
        return [answer for answer in self.answers if answer.status == status]

    def rate(self, status: int = 200) -> float:
        """Returns the number of answers with this status per second."""
        return len(self.of(status)) / self.seconds

    def and_also(self, other: "Answers") -> "Answers":
        """Returns the answers of two loads that did not run at the same time."""
        return Answers(self.seconds + other.seconds, self.answers + other.answers)

    def at(self, q: float, status: int = 200) -> float:
        """Returns the latency at quantile `q`, in seconds."""
        return quantile([answer.seconds for answer in self.of(status)] or [0.0], q)

    def late(self, q: float) -> float:
        return quantile([answer.late for answer in self.answers] or [0.0], q)

    def counted(self) -> dict[int, int]:
        return dict(sorted(Counter(answer.status for answer in self.answers).items()))


class Asking:
    """A load that runs in a separate process."""

    def __init__(self, load: Load) -> None:
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed by `answers`; a pipe would fill up
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.web.http_load"],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=self._output,
            start_new_session=True,
            text=True,
        )
        assert self._process.stdin is not None
        with self._process.stdin as stdin:
            json.dump(asdict(load), stdin)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def answers(self) -> Answers:
        """Wait until the load has ended. Returns its answers."""
        if code := self._process.wait():
            raise RuntimeError(f"the load generator ended with {code}")
        with self._output:
            self._output.seek(0)
            found = json.load(self._output)
        return Answers(found["seconds"], [Answer(*answer) for answer in found["answers"]])


def ask(load: Load) -> Answers:
    """Run a load and wait for its answers."""
    return Asking(load).answers()


async def _run(load: Load) -> Answers:
    answers: list[Answer] = []
    connections = Connections(load.address, {"Content-Type": "application/json", **load.headers})
    bodies = [json.dumps({"query": text}).encode() for text in load.texts]

    async def one(number: int, due: float) -> int:
        sent, status, retry, request_id = time.perf_counter(), NO_ANSWER, False, f"load-{number}"
        with suppress(OSError, asyncio.CancelledError):
            body = bodies[number % len(bodies)]
            status, retry = await connections.post(load.path, {"X-Request-ID": request_id}, body)
        answers.append(Answer(due - first, time.perf_counter() - due, status, retry, request_id, sent - due))
        return status

    first = time.perf_counter()
    if load.rate is None:
        await _closed(load, one, first)
    else:
        await _open(load, load.rate, one, first)
    return Answers(time.perf_counter() - first, answers)


async def _closed(load: Load, one: One, first: float) -> None:
    numbers = iter(range(sys.maxsize))

    async def client() -> None:
        while (now := time.perf_counter()) - first < load.seconds:
            if await one(next(numbers), now) == NO_ANSWER:
                await asyncio.sleep(0.05)  # the service does not answer, so the client must not retry in a tight loop

    await _ended({asyncio.ensure_future(client()) for _ in range(load.clients)}, load.seconds + EXTRA_SECONDS)


async def _open(load: Load, rate: float, one: One, first: float) -> None:
    asked: set[asyncio.Future[int]] = set()
    for number in range(int(load.seconds * rate)):
        due = first + number / rate
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        task = asyncio.ensure_future(one(number, due))
        asked.add(task)
        task.add_done_callback(asked.discard)
    await _ended(asked, EXTRA_SECONDS)


async def _ended(tasks: set[asyncio.Future[Any]], seconds: float) -> None:
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks)


if __name__ == "__main__":
    with suppress(PermissionError):
        os.nice(-10)
    done = uvloop.run(_run(Load(**json.load(sys.stdin))))
    answers = [list(asdict(answer).values()) for answer in done.answers]
    json.dump({"seconds": done.seconds, "answers": answers}, sys.stdout)
