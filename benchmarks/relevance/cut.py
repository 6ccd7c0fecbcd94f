"""Measures the option cut => 'relevant' of shop.search, which removes results. One figure is the share of the relevant
results that the cut keeps. Another is the number of products that the cut keeps for a query of random letters.

The queries, products and judgements come from held_out.py. The head of the starter model is the only part that is
trained here, and it has not seen the concepts of these queries. The search uses its default weights; no weight is
fitted on these queries.
"""

import random
import string
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import mean, median

from rich.progress import Progress
from sqlalchemy import Connection

from benchmarks.relevance import held_out
from benchmarks.relevance.split_site import CACHE, split_site
from benchmarks.support.report import Line, keep
from db.evaluation import judgements
from db.evaluation.measure import prepare
from db.functions.constants import MAX_RESULTS
from db.roles import Role
from db.search import ranking
from db.search.ranking import SearchParams
from encoder.starter.training import splits
from windowshop.starter import gather

DEPTH = 100  # relevant products are counted among this many results of a search without the cut
KEPT = 0.95  # goal: at least this share of the counted relevant products passes the cut
RANDOM_QUERIES = 100
MOST_FOUND = 3  # goal: the median number of products that pass for a query of random letters is at most this


@dataclass(frozen=True)
class Asked:
    """The counts of a judged query. `relevant` counts the relevant products among the first DEPTH results without the
    cut. `kept` counts those of them that pass the cut."""

    relevant: int
    kept: int
    total: int  # all products that pass the cut


def run(numbers: Sequence[int] = range(1, splits.COUNT + 1)) -> None:
    with Progress(transient=True) as progress:
        material = gather(CACHE, progress)
    asked: dict[str, list[Asked]] = {suite: [] for suite in held_out.SUITES}
    found: dict[str, list[int]] = {suite: [] for suite in held_out.SUITES}
    products: list[int] = []
    for number in numbers:
        with split_site(material, number, {}) as (measured, count), measured.database.connect(Role.ANALYST) as reading:
            products.append(count)
            conn = reading.execution_options(isolation_level="AUTOCOMMIT")
            for task in prepare(conn, judgements.read(conn, list(held_out.SUITES))):
                asked[task.suite] += [
                    _ask(conn, query.text or "", task.catalog, {key for key, grade in query.grades.items() if grade})
                    for query in task.queries
                ]
                found[task.suite] += [_count(conn, letters, task.catalog) for letters in random_letters(number)]
    lines = [line for suite in held_out.SUITES for line in _lines(suite, asked[suite], found[suite])]
    raw = {
        "splits": list(numbers),
        "products": products,
        "asked": {suite: [asdict(one) for one in ones] for suite, ones in asked.items()},
        "found": found,
    }
    keep("quality_cut", f"The cut on held-out concepts, splits {', '.join(map(str, numbers))}", lines, raw)


def random_letters(seed: int) -> list[str]:
    drawn = random.Random(seed)
    return ["".join(drawn.choices(string.ascii_lowercase, k=drawn.randint(4, 12))) for _ in range(RANDOM_QUERIES)]


def _ask(conn: Connection, query: str, catalog: str, relevant: set[object]) -> Asked:
    uncut = ranking.search(conn, SearchParams(query=query, catalog=catalog, k=DEPTH)).rows
    cut = ranking.search(conn, SearchParams(query=query, catalog=catalog, k=MAX_RESULTS, cut="relevant"))
    shown = {hit.product_id for hit in uncut} & relevant
    return Asked(len(shown), len(shown & {hit.product_id for hit in cut.rows}), cut.total or 0)


def _count(conn: Connection, query: str, catalog: str) -> int:
    return ranking.search(conn, SearchParams(query=query, catalog=catalog, k=1, cut="relevant")).total or 0


def _lines(suite: str, asked: Sequence[Asked], found: Sequence[int]) -> list[Line]:
    judged = [one for one in asked if one.relevant]
    share = sum(one.kept for one in judged) / sum(one.relevant for one in judged)
    each = mean(one.kept / one.relevant for one in judged)
    middle = median(found)
    return [
        Line(f"{suite}: relevant products kept", f"{share:.3f}; {each:.3f} a query", f">= {KEPT}", share >= KEPT),
        Line(f"{suite}: products that pass, median", f"{median(one.total for one in asked):g}"),
        Line(
            f"{suite}: products found for random letters, median",
            f"{middle:g}; {mean(found):.1f} on average",
            f"<= {MOST_FOUND}",
            middle <= MOST_FOUND,
        ),
    ]
