"""Measures the web service:

- how much longer a search takes over REST than as an SQL call, and by MCP than over REST
- how large a compressed answer is
- how many searches a second the service answers
- what the service answers at five times the peak rate

The baseline is `select * from shop.search(...)` through psycopg, on the same database and with the same texts, whose
vectors are in the cache. The ways of searching take turns of ten calls. To find the time of one part, such as the log,
the time of a service without this part is subtracted from the time of a service with it. The peak rate and the overload
take turns too. The rate of answers in a turn is divided by the peak rate of the same turn. So a machine that becomes
slower between two turns does not change this quotient.
"""

import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks.search.load import address, shop
from benchmarks.search.postgres import calibrate, remember
from benchmarks.search.titles import query_texts
from benchmarks.support.report import RESULTS, Line, Table, keep, milliseconds, quantile
from benchmarks.support.site import encoder, serving, site
from benchmarks.web.http_load import Answers, Asking, Load, ask
from db.engine import Database
from db.roles import Role

TURN = 10  # each way of searching makes this many calls before the next way
CLIENTS = (1, 8, 32, 128)  # numbers of clients that search at the same time
OVERLOAD = 5  # the overload sends this many times the peak rate
BARE, HEALTH, SILENT, REST, KEYS = "SQL", "/health", "search, without log", "search", "search, with API keys"
MCP = "search by MCP"
SEARCH = "/v1/search"
MIB = 2**20
MOST_BYTES = 4096  # goal: a compressed answer with ten results has at most this many bytes


@dataclass(frozen=True)
class Effort:
    """The number of turns, the duration of each load in seconds, and the numbers of clients. `overload_seconds` is the
    duration of all turns of the overload together."""

    turns: int = 40
    seconds: float = 8
    overload_seconds: float = 60
    overload_turns: int = 5
    clients: Sequence[int] = CLIENTS


@dataclass(frozen=True)
class Overload:
    peaks: list[float]  # answers per second, of each turn
    turns: list[Answers]  # the answers of each turn at OVERLOAD times its peak rate
    memory: list[int]  # resident bytes during the overload, sampled once per second

    @property
    def asked(self) -> Answers:
        """The answers of all turns."""
        return reduce(Answers.and_also, self.turns)

    @property
    def shares(self) -> list[float]:
        """Answers per second as a share of the peak rate, for each turn."""
        return [asked.rate() / peak for asked, peak in zip(self.turns, self.peaks, strict=True)]


@dataclass(frozen=True)
class Measured:
    catalog: str
    seconds: dict[str, list[float]]
    sizes: list[int]  # bytes of compressed answers with ten results
    loads: dict[int, Answers]  # number of clients -> answers
    overload: Overload

    def p50(self, what: str) -> float:
        return quantile(self.seconds[what], 0.5)

    def p99(self, what: str) -> float:
        return quantile(self.seconds[what], 0.99)

    def beyond(self, what: str, less: str = BARE) -> float:
        return self.p50(what) - self.p50(less)


def run(rows: int, folder: Path | None, effort: Effort) -> None:
    found = [_sample(effort)]
    with ExitStack() as stack:
        folder = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="windowshop-bench-")))
        folder.chmod(0o755)
        found.append(_made_up(folder, rows, effort))
    keep("web", "The web service", *report(found), ("psycopg", "litestar", "uvicorn", "uvloop"), RESULTS)


def measure(
    catalog: str, database: Database, environment: Mapping[str, str], texts: Sequence[str], effort: Effort
) -> Measured:
    seconds = _in_turns(database, environment, texts, effort.turns)
    patient = {"WINDOWSHOP_WEB_QUEUE": "1000", "WINDOWSHOP_WEB_MAX_REQUESTS": "1000"}  # no request is refused
    with serving(environment, patient) as (at, _), serving(environment) as (limited, process):
        sizes = list(_sizes(at, texts))
        for address_ in (at, limited):  # opens all connections and prepares their statements
            ask(Load(address_, texts, min(2, effort.seconds), clients=8, path=SEARCH))
        loads = {clients: ask(Load(at, texts, effort.seconds, clients, path=SEARCH)) for clients in effort.clients}
        best = max(loads, key=lambda clients: loads[clients].rate())
        overload = Overload([], [], [])
        for _ in range(effort.overload_turns):
            peak = ask(Load(at, texts, effort.seconds, best, path=SEARCH)).rate()
            each = effort.overload_seconds / effort.overload_turns
            asking = Asking(Load(limited, texts, each, rate=OVERLOAD * peak, path=SEARCH))
            overload.memory.extend(_memory(process, asking))
            overload.peaks.append(peak)
            overload.turns.append(asking.answers())
    return Measured(catalog, seconds, sizes, loads, overload)


def report(found: Sequence[Measured]) -> tuple[list[Line], dict[str, object], list[Table]]:
    lines = [line for measured in found for line in _lines(measured)]
    latencies = [
        [
            each.catalog,
            *(
                f"{each.p50(what) * 1000:.2f} / {quantile(all_, 0.99) * 1000:.2f}"
                for what, all_ in each.seconds.items()
            ),
        ]
        for each in found
    ]
    throughput = [
        [
            each.catalog,
            str(clients),
            f"{answers.rate():.0f}/s",
            f"{answers.at(0.5) * 1000:.1f} / {answers.at(0.99) * 1000:.1f}",
        ]
        for each in found
        for clients, answers in each.loads.items()
    ]
    raw: dict[str, object] = {
        each.catalog: {
            "seconds": each.seconds,
            "throughput": {clients: answers.rate() for clients, answers in each.loads.items()},
            "bytes": each.sizes,
            "overload": {
                "peaks": each.overload.peaks,
                "shares": each.overload.shares,
                "statuses": each.overload.asked.counted(),
                "memory": each.overload.memory,
            },
        }
        for each in found
    }
    tables = [
        Table("One call after the other, p50 / p99, ms", ["catalog", BARE, HEALTH, SILENT, REST, KEYS, MCP], latencies),
        Table("Many clients at the same time", ["catalog", "clients", "answered", "p50 / p99, ms"], throughput),
    ]
    return lines, raw, tables


def _lines(measured: Measured) -> Iterator[Line]:
    over, asked = measured.overload, measured.overload.asked
    beyond, refusals, offered = measured.beyond(REST), asked.at(0.99, 503), len(asked.answers) / asked.seconds
    name = measured.catalog
    yield Line(f"{name}: a cached text over REST beyond SQL, p50", milliseconds(beyond), "<= 1.5 ms", beyond <= 0.0015)
    later = measured.p99(REST) - measured.p99(BARE)
    yield Line(f"{name}: a cached text over REST beyond SQL, p99", milliseconds(later), "<= 8 ms", later <= 0.008)
    yield Line(f"{name}: a call of /health (HTTP, framework and log), p50", milliseconds(measured.p50(HEALTH)))
    yield Line(f"{name}: a cached text with log beyond without log, p50", milliseconds(measured.beyond(REST, SILENT)))
    yield Line(
        f"{name}: a cached text with API keys beyond without API keys, p50", milliseconds(measured.beyond(KEYS, REST))
    )
    over_mcp = measured.beyond(MCP, REST)
    yield Line(f"{name}: a cached text by MCP beyond REST, p50", milliseconds(over_mcp), "<= 3 ms", over_mcp <= 0.003)
    largest = max(measured.sizes)
    yield Line(
        f"{name}: bytes of a compressed answer with 10 results, p50 / largest",
        f"{quantile(measured.sizes, 0.5):.0f} / {largest}",
        f"<= {MOST_BYTES}",
        largest <= MOST_BYTES,
    )
    yield Line(f"{name}: peak rate of answers, median of {len(over.peaks)} turns", f"{quantile(over.peaks, 0.5):.0f}/s")
    share = quantile(over.shares, 0.5)
    yield Line(
        f"{name}: answered of {offered:.0f}/s sent, as a share of the peak rate, median (and range) of the turns",
        f"{asked.rate():.0f}/s = {share:.0%} ({min(over.shares):.0%} to {max(over.shares):.0%})",
        ">= 90%",
        share >= 0.9,
    )
    yield Line(f"{name}: refusals under overload, p99", milliseconds(refusals), "<= 100 ms", refusals <= 0.1)
    yield Line(f"{name}: delay of the load generator, p99", milliseconds(asked.late(0.99)))
    hinted = all(answer.retry_after for answer in asked.of(503))
    other = {status: count for status, count in asked.counted().items() if status not in (200, 503)}
    yield Line(
        f"{name}: whether all refusals have Retry-After; statuses other than 200 and 503",
        f"{hinted}; {other or 'none'}",
        "all; none",
        hinted and not other,
    )
    middle, last = over.memory[len(over.memory) // 3], over.memory[-1]
    yield Line(
        f"{name}: resident memory, after a third of the overload / at its end",
        f"{middle // MIB} / {last // MIB} MiB",
        "flat: <= 10 MiB more",
        last - middle <= 10 * MIB,
    )


def _sample(effort: Effort) -> Measured:
    from loader.sample import load_sample

    colors, things = (
        ("red", "blue", "wooden", "small", "old"),
        ("chair", "shoes", "cup", "guitar", "car", "hat", "lamp"),
    )
    texts = [f"{color} {thing}" for color in colors for thing in things]
    with site() as measured:
        load_sample(measured.database)
        with encoder(measured):
            while measured.left():
                time.sleep(0.5)
            with psycopg.connect(address(measured.database, Role.ANALYST), autocommit=True) as conn:
                for text in texts:
                    conn.execute("select shop.clip_text(%s)", (text,))
        return measure("sample", measured.database, measured.environment, texts, effort)


def _made_up(folder: Path, rows: int, effort: Effort) -> Measured:
    with shop(folder, rows) as loaded:
        calibrate(loaded)
        queries = loaded.catalog.queries("text", 200, seed=3)
        texts = query_texts(loaded.catalog, queries.clusters, "mixed")
        remember(loaded, texts, queries)
        environment = {**os.environ, "WINDOWSHOP_HOME": str(loaded.folder / "home")}
        return measure(f"{rows:,} products", loaded.database, environment, texts, effort)


def _in_turns(
    database: Database, environment: Mapping[str, str], texts: Sequence[str], turns: int
) -> dict[str, list[float]]:
    """Returns the seconds of each call, for each way of searching."""
    with ExitStack() as stack:
        conn = stack.enter_context(psycopg.connect(address(database, Role.ANALYST), autocommit=True))
        open_, silent, keyed = (
            _asker(stack, stack.enter_context(serving(environment, {"WINDOWSHOP_WEB_API_KEYS": keys}, quiet=quiet))[0])
            for keys, quiet in (("off", False), ("off", True), ("on", False))
        )
        made = subprocess.run(
            [sys.executable, "-m", "windowshop", "key", "create", f"bench-{time.time_ns()}"],
            env=dict(environment), check=True, capture_output=True, text=True,
        )  # fmt: skip
        statement = "select * from shop.search(query => %s, degrade => true)"
        key = {"Authorization": f"Bearer {made.stdout.strip()}"}
        ways: dict[str, Callable[[str], Any]] = {
            BARE: lambda text: conn.execute(statement, (text,), prepare=True).fetchall(),
            HEALTH: lambda _: open_("/health", None),
            SILENT: lambda text: silent(SEARCH, {"query": text}),
            REST: lambda text: open_(SEARCH, {"query": text}),
            KEYS: lambda text: keyed(SEARCH, {"query": text}, key),
            MCP: lambda text: open_("/mcp", _tool_call(text), {"Accept": "application/json, text/event-stream"}),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        order = random.Random(0)
        for turn in range(-2, turns):  # the two turns with a negative number warm up and are not measured
            for name in order.sample([*ways], len(ways)):
                for number in range(TURN):
                    started = time.perf_counter()
                    ways[name](texts[(turn * TURN + number) % len(texts)])
                    if turn >= 0:
                        seconds[name].append(time.perf_counter() - started)
        return seconds


def _asker(stack: ExitStack, address: str) -> Callable[..., None]:
    """Returns a client that has one connection, as the psycopg baseline has. The client takes little time, so the
    measured time is nearly the time of the service alone."""
    connection = HTTPConnection(address.removeprefix("http://"))
    stack.callback(connection.close)

    def ask_one(path: str, asked: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None) -> None:
        body = None if asked is None else json.dumps(asked).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        connection.request("GET" if body is None else "POST", path, body, {**kind, **(headers or {})})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200 or b'"isError":true' in content:
            raise RuntimeError(f"{path}: {answer.status} {content[:200]!r}")

    return ask_one


def _sizes(address: str, texts: Sequence[str]) -> Iterator[int]:
    """For each text whose search has ten results, yields the bytes of the compressed answer."""
    connection = HTTPConnection(address.removeprefix("http://"))
    headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}
    for text in texts:
        connection.request("POST", SEARCH, json.dumps({"query": text, "top_k": 10}).encode(), headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200 or answer.headers["Content-Encoding"] != "gzip":
            raise RuntimeError(f"{SEARCH}: {answer.status} {content[:200]!r}")
        if len(json.loads(gzip.decompress(content))["results"]) == 10:
            yield len(content)
    connection.close()


def _tool_call(text: str) -> dict[str, Any]:
    """Returns the MCP message that asks for as many results as the search over REST."""
    params = {"name": "search", "arguments": {"query": text, "limit": 10}}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def _memory(process: subprocess.Popen[bytes], asking: Asking) -> Iterator[int]:
    service = psutil.Process(process.pid)
    yield service.memory_info().rss
    while asking.is_running():
        time.sleep(1)
        yield service.memory_info().rss
