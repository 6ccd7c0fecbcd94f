"""Measures how long shop.suggest takes, how long the service takes to render a page of the shop, and how large the page
is when it is compressed.

The pages are those of the generated catalog: the start page, a search, the view of a product, and a list with a filter.
A page refers to its images by address, so the images do not count. The vectors of the texts are in the cache. Except
for the start page, no two requests have the same parameters.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import psycopg

from benchmarks.search.load import Shop, address, shop
from benchmarks.search.postgres import calibrate, remember
from benchmarks.search.titles import query_texts
from benchmarks.support.report import RESULTS, Line, Table, keep, milliseconds, quantile
from benchmarks.support.site import serving
from db.roles import Role

ROWS = (20_000, 100_000)
SUGGEST, PAGE = 0.010, 0.050  # goals of the p50, in seconds
MOST_BYTES = 12 * 1024
SUGGESTED = "shop.suggest"


def run(calls: int, folder: Path | None) -> None:
    lines: list[Line] = []
    tables: list[Table] = []
    raw: dict[str, object] = {}
    with ExitStack() as stack:
        folder = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="windowshop-bench-")))
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        for rows in ROWS:
            with shop(folder, rows) as loaded:
                seconds, sizes = measure(loaded, calls)
            lines += _lines(rows, seconds, sizes)
            columns = [
                [what, *(milliseconds(quantile(each, q)) for q in (0.5, 0.99)), f"{max(sizes.get(what, [0])):,}"]
                for what, each in seconds.items()
            ]
            tables.append(Table(f"{rows:,} products", ["", "p50", "p99", "largest, bytes"], columns))
            raw[str(rows)] = {"seconds": seconds, "bytes": sizes}
    keep("server_time", "Suggestions and pages of the shop", lines, raw, tables, ("psycopg", "litestar"), RESULTS)


def measure(loaded: Shop, calls: int) -> tuple[dict[str, list[float]], dict[str, list[int]]]:
    """Returns the seconds of the calls of shop.suggest and of the requests for each kind of page, and the bytes of some
    compressed pages of each kind."""
    with loaded.admin() as conn:
        is_calibrated = conn.execute("select exists (select from shop.calibration)").fetchone() == (True,)
    if not is_calibrated:
        calibrate(loaded)
    queries = loaded.catalog.queries("text", calls, seed=5)
    texts = query_texts(loaded.catalog, queries.clusters, "mixed")
    remember(loaded, texts, queries)
    with loaded.admin() as conn:
        conn.execute("select shop.refresh_suggestions()")
        titles = [row[0] for row in conn.execute("select title from shop.product order by sku limit %s", (calls,))]
        [types] = [row[0] for row in conn.execute("select array_agg(distinct product_type) from shop.product")] or [[]]
    seconds: dict[str, list[float]] = {}
    sizes: dict[str, list[int]] = {}
    with psycopg.connect(address(loaded.database, Role.ANALYST), autocommit=True) as conn:
        prefixes = [title[: 2 + n % 5] for n, title in enumerate(titles)]
        seconds[SUGGESTED] = list(_timed(prefixes, lambda text: _suggested(conn, text)))
    paths = {
        "start": ["/" for _ in texts],
        "search": [f"/?q={quote(text)}" for text in texts],
        "product": [f"/product?sku=sku-{n + 1}" for n in range(len(texts))],
        "list": [f"/?product_type={quote(types[n % len(types)])}&price_max={900 - n}" for n in range(len(texts))],
    }
    with serving({**os.environ, "WINDOWSHOP_HOME": str(loaded.folder / "home")}) as (at, _):
        connection = HTTPConnection(at.removeprefix("http://"))
        for what, wanted in paths.items():
            sizes[what] = [_get(connection, wanted[0])]  # the first request fills caches
            seconds[what] = list(_timed(wanted[1:], lambda path: _get(connection, path)))
            sizes[what] += [_get(connection, path) for path in wanted[1:11]]
        connection.close()
    return seconds, sizes


def _suggested(conn: psycopg.Connection[tuple[object, ...]], text: str) -> None:
    conn.execute("select * from shop.suggest(%s)", (text,), prepare=True).fetchall()


def _timed(given: Sequence[str], call: Callable[[str], object]) -> Iterator[float]:
    for one in given:
        began = time.perf_counter()
        call(one)
        yield time.perf_counter() - began


def _get(connection: HTTPConnection, path: str) -> int:
    """Returns the bytes of the compressed page."""
    connection.request("GET", path, headers={"Accept": "text/html", "Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200 or answer.headers["Content-Encoding"] != "gzip":
        raise RuntimeError(f"{path}: {answer.status} {content[:200]!r}")
    return len(content)


def _lines(rows: int, seconds: dict[str, list[float]], sizes: dict[str, list[int]]) -> Iterator[Line]:
    for what, each in seconds.items():
        most = SUGGEST if what == SUGGESTED else PAGE
        p50, p99 = quantile(each, 0.5), quantile(each, 0.99)
        name = f"{rows:,} products: {what}{'' if what == SUGGESTED else ' page'}"
        yield Line(
            f"{name}, p50 / p99",
            f"{milliseconds(p50)} / {milliseconds(p99)}",
            f"p50 <= {most * 1000:g} ms",
            p50 <= most,
        )
        if what in sizes:
            largest = max(sizes[what])
            goal = f"<= {MOST_BYTES:,} bytes"
            yield Line(f"{name}, largest compressed", f"{largest:,} bytes", goal, largest <= MOST_BYTES)
