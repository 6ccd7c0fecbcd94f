"""Calls `shop.search` and its related functions, with types for their arguments and results.

The web service, the command line and the evaluation call shop.search only through this module. db/search/statement.py
also writes such a call, as the text that `windowshop search --sql` shows. A new option of shop.search is a field of
SearchParams. The functions work on a synchronous connection and inside `AsyncConnection.run_sync`. They raise the
errors of `db.errors`.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.errors import Diagnostic
from sqlalchemy import Connection

from db.search.driver import driver_rows
from db.search.rows import BrowseItem, ExplainStep, Facet

# SQLSTATEs of notices (docs/errors.md).
NOTHING_FOUND, NOTHING_FOUND_BY_KEYWORDS = "WS101", "WS102"
CACHE_HIT, CACHE_MISS = "WS103", "WS104"
EMPTY_PAGE = "WS105"
LEG_TIMES = "WS106"
RULES = "WS107"
NOTICE_LEVEL = "debug1"  # a session receives WS103 to WS106 only with this client_min_messages
MAY_HAVE_OPERATORS = re.compile(r'["“”„‟«»:]|(^|\s)-')  # the signs with which shop_private.read_query finds operators
TIMED_SEARCHES = 0.05  # a value for shop.timed_searches, the share of a session's searches that send LEG_TIMES


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParams:
    """The arguments of shop.search, in the same order and with the same defaults (docs/search.md).

    `inputs` and `filter` are JSON.
    """

    query: str | None = None
    image: bytes | None = None
    inputs: str | None = None
    filter: str | None = None
    k: int = 10
    catalog: str = "main"
    image_weight: float | None = None
    title_weight: float | None = None
    keyword_weight: float | None = None
    rrf_k: int | None = None
    min_similarity: float | None = None
    max_gap: float | None = None
    after: str | None = None
    degrade: bool = False
    route: str | None = None
    cut: str | None = None
    change: str | None = None
    sort: str | None = None
    group_by: str | None = None
    diversity: float | None = None
    correct: bool = True
    image_box: list[float] | None = None
    signals: str | None = None  # JSON
    rules: str | None = None


OPTIONS = tuple(field.name for field in fields(SearchParams))
OPTIONS_OF_EXPLAIN = tuple(name for name in OPTIONS if name != "after")
OPTIONS_OF_SIMILAR = (
    "filter", "k", "catalog", "image_weight", "title_weight", "min_similarity", "max_gap", "after", "route", "cut",
    "change", "sort", "group_by", "diversity", "signals",
)  # fmt: skip
OPTIONS_OF_FACETS = (
    "query", "image", "inputs", "filter", "catalog", "image_weight", "title_weight", "keyword_weight", "degrade", "cut",
    "correct",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A row of shop.search or shop.similar. Distances are cosine distances.

    A leg is the search by image, by title or by keywords. The fields of a leg that did not find the product are None.
    With a sort, `image_distance` may be given for such a product too.
    """

    rank: int
    product_id: UUID
    sku: str
    title: str
    brand: str | None
    product_type: str | None
    price: Decimal | None
    currency: str | None
    availability: str | None
    color: str | None
    link: str | None
    image_link: str | None
    image_uri: str | None
    image_position: int
    score: float
    image_rank: int | None
    image_distance: float | None
    image_contribution: float | None
    title_rank: int | None
    title_distance: float | None
    title_contribution: float | None
    keyword_rank: int | None
    keyword_score: float | None
    keyword_contribution: float | None
    route: str
    rows_examined: int
    complete: bool
    reason: str | None
    total: int
    total_is: str
    cursor: str
    has_next: bool
    exact_match: str | None
    group_value: str | None
    group_products: int | None
    group_low: Decimal | None
    group_high: Decimal | None
    corrected_query: str | None  # the query with the words that were found for misspelt words
    shop_ranking: float | None
    rules: list[str] | None
    image_hash: str | None  # hash of the image's content


class LegTime(NamedTuple):
    """The time of a leg of a search. The leg `query` computes the query's vector, or looks it up in the cache."""

    leg: str
    route: str  # the route of the leg, such as hnsw, exact or keyword; "none" for the leg `query`
    seconds: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The results of a search, best first, and properties of the search.

    `degraded` means that the query could not be encoded and only keywords were searched. `cache_hits` and
    `cache_misses` count the texts and images of the query that the query cache had and did not have. If the session's
    client_min_messages is not NOTICE_LEVEL, both numbers are 0, and `total`, `total_is`, `route` and `rows_examined`
    are None for a search without rows.
    """

    rows: list[SearchHit]
    reason: str | None
    degraded: bool
    cache_hits: int
    cache_misses: int
    total: int | None = None
    total_is: str | None = None
    route: str | None = None
    rows_examined: int | None = None
    legs: tuple[LegTime, ...] = ()  # the legs that ran, if shop.timed_searches chose this search
    redirect: str | None = None  # the address to which a rule of the shop sends the visitor
    banner: str | None = None  # the text that a rule of the shop shows above the results

    @property
    def next(self) -> str | None:
        """The cursor of the next page; None on the last page."""
        return self.rows[-1].cursor if self.rows and self.rows[-1].has_next else None

    @property
    def corrected(self) -> str | None:
        """The query with the words that were found for misspelt words; None if no word was corrected."""
        return self.rows[0].corrected_query if self.rows else None


_FIGURES = ("total", "total_is", "route", "rows_examined")  # these columns have the same value in every row of a search


class _Notice(NamedTuple):
    sqlstate: str | None
    detail: str | None


def _given(*names: str) -> str:
    return ", ".join(f"{name} => %({name})s" for name in names)


_IMAGE_HASH = (
    "(select shop_private.image_hash(i.sha256, i.file_version) from shop.product_image i "
    "where i.product_id = found.product_id and i.position = found.image_position)"
)
_COLUMNS = ", ".join([*(field.name for field in fields(SearchHit)[:-1]), _IMAGE_HASH])
_SEARCH = f"select {_COLUMNS} from shop.search({_given(*OPTIONS)}) found"
_EXPLAIN = f"select * from shop.explain_search({_given(*OPTIONS_OF_EXPLAIN)})"
_SIMILAR = f"select {_COLUMNS} from shop.similar({_given('sku', *OPTIONS_OF_SIMILAR)}) found"
_TRIAL = (
    f"select {_COLUMNS} from shop_private.trial_search(%(model)s, %(query)s, %(image)s, %(sku)s, %(filter)s, %(k)s, "
    "%(catalog)s, %(image_weight)s, %(title_weight)s, %(keyword_weight)s, %(rrf_k)s) found"
)
_BROWSE = (
    f"select found.*, {_IMAGE_HASH} from shop.browse({_given('filter', 'k', 'catalog', 'sort', 'group_by')}, "
    "after_cursor => %(after)s) found"
)
_BROWSE_TOTAL = "select shop_private.browse_total(%(filter)s, %(catalog)s)"
_FACETS = (
    "select field, value, low, high, products, kind, exact, note, value_json::text, currency, row_filter::text "
    f"from shop.facets({_given(*OPTIONS_OF_FACETS, 'fields', 'limit_values', 'buckets')})"
)


def search(conn: Connection, params: SearchParams) -> SearchResult:
    return _result(conn, _SEARCH, asdict(params))


def similar(conn: Connection, sku: str, params: SearchParams) -> SearchResult:
    """Return products that look like the product `sku`.

    Uses the options of `params` that OPTIONS_OF_SIMILAR names. Without weights, only the image counts.
    """
    weights = {"image_weight": _or(params.image_weight, 1), "title_weight": _or(params.title_weight, 0)}
    return _result(conn, _SIMILAR, {**asdict(params), **weights, "sku": sku})


def trial(conn: Connection, model: str, sku: str | None, params: SearchParams) -> SearchResult:
    """Search as if `model` were serving, for a text, an image or the image of the product `sku`.

    Uses the query, image, filter, k, catalog, weights and rrf_k of `params`; no weight may be None. Only the role app
    may call this function, because no other role may have texts encoded by a model that does not serve.
    """
    return _result(conn, _TRIAL, {**asdict(params), "model": model, "sku": sku})


def explain(conn: Connection, params: SearchParams) -> list[ExplainStep]:
    return [ExplainStep(*row) for row in driver_rows(conn, _EXPLAIN, asdict(params))]


def browse(conn: Connection, params: SearchParams, sort: str | None = None) -> list[BrowseItem]:
    """Return products without a query. Uses filter, k, catalog, after and group_by of `params`.

    `sort` is an order of shop.browse; None orders by product_id.
    """
    return [BrowseItem(*row) for row in driver_rows(conn, _BROWSE, {**asdict(params), "sort": sort})]


def browse_total(conn: Connection, filter_: str | None, catalog: str) -> int:
    """Return the number of groups of variants in which at least one product passes the filter. A product without
    item_group_id is a group of its own. Reads all products that pass."""
    return int(driver_rows(conn, _BROWSE_TOTAL, {"filter": filter_, "catalog": catalog})[0][0])


def facets(conn: Connection, params: SearchParams, names: list[str], limit_values: int, buckets: int) -> list[Facet]:
    """Count the values of the fields `names`, with the options of `params` that OPTIONS_OF_FACETS names.

    The phrases, exclusions and fields of the query always narrow the counts; its other words do so only with a cut. A
    sort implies the cut relevant, as in shop.search.
    """
    parameters = {**asdict(params), "fields": names, "limit_values": limit_values, "buckets": buckets}
    parameters["cut"] = params.cut or (params.sort and "relevant")
    return [Facet(*row) for row in driver_rows(conn, _FACETS, parameters)]


def _or(weight: float | None, default: float) -> float:
    return default if weight is None else weight


def _result(conn: Connection, statement: str, parameters: dict[str, Any]) -> SearchResult:
    with _notices(conn) as notices:
        rows = [SearchHit(*row) for row in driver_rows(conn, statement, parameters)]
    states = [notice.sqlstate for notice in notices]
    if rows:
        first = rows[0]
        reason, degraded = first.reason, not first.complete and first.route == "keyword"
        figures = {name: getattr(first, name) for name in _FIGURES}
    else:
        figures = next((json.loads(n.detail) for n in notices if n.sqlstate == EMPTY_PAGE and n.detail), {})
        reason = next((n.detail for n in notices if n.sqlstate in (NOTHING_FOUND, NOTHING_FOUND_BY_KEYWORDS)), None)
        degraded = NOTHING_FOUND_BY_KEYWORDS in states
    legs = next((_legs(n.detail) for n in notices if n.sqlstate == LEG_TIMES and n.detail), ())
    told: dict[str, str] = next((json.loads(n.detail) for n in notices if n.sqlstate == RULES and n.detail), {})
    return SearchResult(
        rows,
        reason,
        degraded,
        states.count(CACHE_HIT),
        states.count(CACHE_MISS),
        **figures,
        legs=legs,
        redirect=told.get("redirect"),
        banner=told.get("banner"),
    )


def _legs(detail: str) -> tuple[LegTime, ...]:
    times: dict[str, tuple[str, float | None]] = json.loads(detail)
    return tuple(LegTime(leg, route, ms / 1000) for leg, (route, ms) in times.items() if ms is not None)


@contextmanager
def _notices(conn: Connection) -> Iterator[list[_Notice]]:
    """Collect the notices that the database sends inside the context."""
    raw = conn.connection.driver_connection
    assert raw is not None
    received: list[_Notice] = []

    def receive(notice: Diagnostic) -> None:
        received.append(_Notice(notice.sqlstate, notice.message_detail))

    raw.add_notice_handler(receive)
    try:
        yield received
    finally:
        raw.remove_notice_handler(receive)
