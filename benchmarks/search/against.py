"""Compares two versions of Windowshop by the same searches over the same rows.

    python -m benchmarks against HOME OTHER_HOME --other-python /path/to/other/.venv/bin/python

HOME and OTHER_HOME are home folders of embedded servers with the same benchmark catalog. First let the other
version load the catalog into OTHER_HOME, and stop its server. Then copy the folder to HOME, and upgrade HOME with this
version. Each search goes to both servers within milliseconds, and the order alternates, so that a slow moment of the
machine affects both servers. REST is measured in the same way, through `windowshop serve` of each version.
"""

import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from benchmarks.search.data import Catalog
from benchmarks.search.titles import query_texts
from benchmarks.support.report import Line, keep

QUERIES = 24
ROUNDS = 15
LIMIT = 1.05  # largest allowed ratio of this version's time to the other version's time
SEARCH = "select product_id, sku, title, price, score from shop.search(%(query)s, k => 10{options})"
VECTOR = "insert into shop_private.query_embedding (model_id, key, query, embedding) values \
(1, sha256(convert_to('t' || %(text)s::text, 'UTF8')), %(text)s, %(vector)s::halfvec) on conflict do nothing"

Ask = Callable[[str], int]  # maps a query text to the number of returned rows


def run(home: Path, other_home: Path, other_python: Path, rows: int) -> None:
    catalog = Catalog(rows, 1)
    queries = catalog.queries("text", QUERIES, seed=7)
    texts = query_texts(catalog, queries.clusters, "mixed")
    with ExitStack() as stack:
        this = stack.enter_context(server(Path(sys.executable), home))
        other = stack.enter_context(server(other_python, other_home))
        for version in (this, other):
            version.remember(texts, queries.vectors)
        sql = {name: _compare(this.sql(statement), other.sql(statement), texts) for name, statement in _cases(catalog)}
        rest = {"REST, cached text": _compare(this.rest(), other.rest(), texts)}
    measured = {**sql, **rest}
    lines = [
        Line(
            f"{name}: p50 of this version, p50 of the other version, ratio",
            f"{new:.2f} ms, {old:.2f} ms, {new / old:.3f}",
            "at most 1.05",
            new / old <= LIMIT,
        )
        for name, (new, old) in measured.items()
    ]
    keep(
        "against",
        "This version against another version",
        lines,
        {name: {"this_ms": new, "other_ms": old} for name, (new, old) in measured.items()},
    )


def _cases(catalog: Catalog) -> Iterator[tuple[str, str]]:
    category = catalog.categories[0]
    price = float(np.quantile(catalog.prices, 0.1)) / 100
    yield "three legs", SEARCH.format(options="")
    yield "image leg", SEARCH.format(options=", title_weight => 0, keyword_weight => 0")
    yield "keyword leg", SEARCH.format(options=", image_weight => 0, title_weight => 0")
    in_category = json.dumps({"product_type": category})
    yield "one category", SEARCH.format(options=f", filter => '{in_category}'")
    cheap = json.dumps({"price": {"lt": price}})
    yield "a tenth by price", SEARCH.format(options=f", filter => '{cheap}'")
    yield "facets", f"select * from shop.facets(filter => '{cheap}', fields => array['brand', 'color'])"


def _compare(new: Ask, old: Ask, texts: Sequence[str]) -> tuple[float, float]:
    """Returns the median times of this version and of the other version, in milliseconds."""
    for text in texts:  # warms up both versions
        if new(text) != old(text):
            raise RuntimeError(f"the versions return different numbers of rows for {text!r}")
    taken: dict[Ask, list[float]] = {new: [], old: []}
    turns = itertools.cycle(((new, old), (old, new)))
    for text in list(texts) * ROUNDS:
        for ask in next(turns):
            began = time.perf_counter()
            ask(text)
            taken[ask].append(time.perf_counter() - began)
    return statistics.median(taken[new]) * 1000, statistics.median(taken[old]) * 1000


class Version:
    def __init__(self, python: Path, home: Path, analyst: psycopg.Connection[Any], stack: ExitStack) -> None:
        self._python, self._home, self._analyst, self._stack = python, home, analyst, stack

    def remember(self, texts: Sequence[str], vectors: Any) -> None:
        with psycopg.connect(output(self._python, self._home, "db", "url"), autocommit=True) as conn:
            for text, vector in zip(texts, vectors, strict=True):
                conn.execute(VECTOR, {"text": text, "vector": str([float(number) for number in vector])})

    def rows(self, statement: str, text: str) -> list[tuple[Any, ...]]:
        return self._analyst.execute(statement, {"query": text}, prepare=True).fetchall()

    def sql(self, statement: str) -> Ask:
        return lambda text: len(self.rows(statement, text))

    def rest(self) -> Ask:
        address = self._stack.enter_context(_serving(self._python, self._home))
        host, port = re.fullmatch(r"http://([\d.]+):(\d+)", address).groups()  # type: ignore[union-attr]
        connection = HTTPConnection(host, int(port))

        def ask(text: str) -> int:
            body = json.dumps({"query": text, "top_k": 10})
            connection.request("POST", "/search/text", body, {"Content-Type": "application/json"})
            return len(json.loads(connection.getresponse().read())["results"])

        return ask


@contextmanager
def server(python: Path, home: Path) -> Iterator[Version]:
    output(python, home, "db", "start")
    try:
        with ExitStack() as stack:
            url = output(python, home, "db", "url", "--role", "analyst")
            yield Version(python, home, stack.enter_context(psycopg.connect(url, autocommit=True)), stack)
    finally:
        output(python, home, "db", "stop", "--force")


@contextmanager
def _serving(python: Path, home: Path) -> Iterator[str]:
    command = [str(python), "-m", "windowshop", "serve", "--port", "0"]
    # The log goes to a file, because a server blocks at its next log line if its log is a full pipe that nobody reads.
    with tempfile.NamedTemporaryFile("w+") as log:
        process = subprocess.Popen(command, env=environment(home), cwd=home, stderr=log)
        try:
            while process.poll() is None:
                if found := re.search(r"http://[\d.]+:\d+", Path(log.name).read_text()):
                    yield found[0]
                    return
                time.sleep(0.1)
            raise RuntimeError(f"{python} -m windowshop serve ended: {Path(log.name).read_text()}")
        finally:
            process.terminate()
            process.wait()


def environment(home: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("WINDOWSHOP_", "PYTHON"))}
    return {**inherited, "WINDOWSHOP_HOME": str(home), "WINDOWSHOP_WEB_METRICS_PORT": "0"}


def output(python: Path, home: Path, *arguments: str) -> str:
    command = [str(python), "-m", "windowshop", *arguments]
    return subprocess.run(
        command, env=environment(home), cwd=home, capture_output=True, text=True, check=True
    ).stdout.strip()
