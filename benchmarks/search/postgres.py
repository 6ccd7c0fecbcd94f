"""Answers the queries in PostgreSQL by several strategies. Strategies whose settings differ in more than ef_search use
different connections. Statements are prepared, and vectors are sent in binary.

Forced plans have two advantages: the filter is written into the statement, and the statement is planned only once (a
generic plan). A forced plan uses one core, and so does shop.search. The planner's own choice runs with PostgreSQL's
default settings, which allow parallel workers.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg.conninfo import make_conninfo

from benchmarks.search.data import Queries
from benchmarks.search.load import Shop, address
from benchmarks.search.timing import K, Questions, Strategy
from db.roles import Role

DEFAULT_EF = 40  # pgvector's default
FORCED = {"plan_cache_mode": "force_generic_plan", "max_parallel_workers_per_gather": 0, "jit": False}
HNSW = {**FORCED, "enable_sort": False, "hnsw.max_scan_tuples": 200_000}
BY_INDEX = {**FORCED, "enable_seqscan": False, "enable_hashjoin": False, "enable_mergejoin": False}
BY_SEQUENCE = {**FORCED, "enable_indexscan": False, "enable_bitmapscan": False, "enable_indexonlyscan": False}

# This is the statement that most people write. If `expression` is "+ 0", PostgreSQL cannot use the HNSW index.
PLAIN = """
    select v.product_id from shop.bench_image v join shop.product p on p.product_id = v.product_id
    where {condition} order by (v.embedding <=> %(vector)b){expression} limit {k}"""
# An iterative scan in relaxed order returns rows only roughly by distance, so this statement sorts them again.
SORTED = """
    with nearest as materialized (
        select v.product_id, v.embedding <=> %(vector)b as distance
        from shop.bench_image v join shop.product p on p.product_id = v.product_id
        where {condition} order by v.embedding <=> %(vector)b limit {k})
    select product_id from nearest order by distance + 0"""
UNFILTERED = "select product_id from shop.bench_image order by embedding <=> %(vector)b limit {k}"
UNFILTERED_TITLES = "select product_id from shop.bench_title order by embedding <=> %(vector)b limit {k}"

SEARCH = """
    select product_id, sku, title, price, link, score from shop.search(
        query => %(query)s::text, inputs => %(inputs)s::jsonb, filter => %(filter)s::jsonb, k => %(k)s::integer,
        image_weight => %(image)s::real, title_weight => %(title)s::real, keyword_weight => %(keyword)s::real)"""


@dataclass(frozen=True)
class Filter:
    """One condition in three forms: for shop.search, as SQL on shop.product p, and for LanceDB."""

    json: Mapping[str, object] | None = None
    condition: str = "true"
    lance: str | None = None


@dataclass(frozen=True)
class Legs:
    """The weights of the rankings by image, title and keyword (the legs). 0 switches a leg off; None stands for the
    model's own weight."""

    image: float | None = None
    title: float | None = None
    keyword: float | None = None


ONLY_IMAGES = Legs(title=0, keyword=0)


class Sessions:
    """Connections with the login web_reader, or with another `login`, whose password is its name. All connections are
    closed at the end. Strategies that differ only in ef_search share a connection. So there are few connections, and
    each of them has mapped the pages of the index before it is measured."""

    def __init__(self, shop: Shop, login: str | None = None) -> None:
        self.shop = shop
        self._address = address(shop.database, Role.WEB_READER)
        if login is not None:
            self._address = make_conninfo(self._address, user=login, password=login)
        self._open = ExitStack()
        self._known: dict[tuple[tuple[str, object], ...], psycopg.Connection[Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    def connect(self, settings: Mapping[str, object]) -> psycopg.Connection[Any]:
        key = tuple(sorted(settings.items()))
        if key not in self._known:
            conn = self._open.enter_context(psycopg.connect(self._address, autocommit=True))
            register_vector(conn)
            conn.execute("select '[1]'::vector")  # loads pgvector's library, which defines pgvector's settings
            for name, value in settings.items():
                conn.execute("select set_config(%s, %s, false)", (name, str(value)))
            self._known[key] = conn
        return self._known[key]

    def strategy(
        self,
        name: str,
        questions: Questions,
        statement: str,
        parameters: Sequence[Mapping[str, object]] | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> Strategy:
        """Returns a strategy. `parameters` has the statement's parameters for each query. By default, the only
        parameter is the query's vector. The first column of the statement's result must be a product_id."""
        fixed = dict(settings or {})
        ef = str(fixed.pop("hnsw.ef_search", DEFAULT_EF))
        conn, numbers = self.connect(fixed), self.shop.numbers
        given = parameters or [{"vector": HalfVector(vector)} for vector in questions.queries]

        def ready() -> None:
            conn.execute("select set_config('hnsw.ef_search', %s, false)", (ef,))

        def ask(number: int) -> list[tuple[UUID]]:
            return conn.execute(statement, given[number], prepare=True, binary=True).fetchall()

        return Strategy(name, questions, ask, lambda rows: [numbers[row[0]] for row in rows], ready)


def hnsw(sessions: Sessions, condition: str, questions: Questions, iterative: str, ef: int) -> Strategy:
    """Returns the strategy that forces the HNSW index, with ef_search `ef`. `iterative` is off or relaxed_order."""
    name = f"HNSW ef {ef}" + ("" if iterative == "off" else " iterative")
    settings = {**HNSW, "hnsw.ef_search": ef, "hnsw.iterative_scan": iterative}
    statement = (PLAIN if iterative == "off" else SORTED).format(condition=condition, expression="", k=K)
    return sessions.strategy(name, questions, statement, settings=settings)


def exact(sessions: Sessions, condition: str, questions: Questions) -> list[Strategy]:
    """Returns three strategies that compare the vectors of all matching products. The first strategy finds the matching
    products by the indexes of shop.product, the second by a sequential scan, and the third as the planner chooses."""
    statement = PLAIN.format(condition=condition, expression=" + 0", k=K)
    kinds = {"exact by index": BY_INDEX, "exact by sequence": BY_SEQUENCE, "exact": FORCED}
    return [sessions.strategy(name, questions, statement, settings=settings) for name, settings in kinds.items()]


def planner(sessions: Sessions, condition: str, questions: Questions) -> list[Strategy]:
    """Returns two strategies that run a plain statement by the planner's own choice: with pgvector's default settings,
    and with iterative scans on."""
    statement = PLAIN.format(condition=condition, expression="", k=K)
    kinds = {"planner, stock": "off", "planner, iterative": "relaxed_order"}
    return [
        sessions.strategy(name, questions, statement, settings={"hnsw.iterative_scan": iterative})
        for name, iterative in kinds.items()
    ]


def planner_uses_hnsw(sessions: Sessions, condition: str, questions: Questions) -> bool:
    conn = sessions.connect({"hnsw.iterative_scan": "relaxed_order"})
    statement = "explain (format json) " + PLAIN.format(condition=condition, expression="", k=K)
    return "bench_image_hnsw" in str(conn.execute(statement, {"vector": HalfVector(questions.queries[0])}).fetchone())


def unfiltered(sessions: Sessions, questions: Questions, ef: int, k: int = K, *, of_titles: bool = False) -> Strategy:
    """Returns the strategy of the raw statement without a filter."""
    statement = (UNFILTERED_TITLES if of_titles else UNFILTERED).format(k=k)
    return sessions.strategy(f"pgvector, ef {ef}", questions, statement, settings={"hnsw.ef_search": ef})


def search(
    sessions: Sessions,
    name: str,
    questions: Questions,
    queries: Sequence[str] | Queries,
    filter: Mapping[str, object] | None = None,  # noqa: A002  the name in shop.search
    legs: Legs = ONLY_IMAGES,
    k: int = K,
) -> Strategy:
    """Returns the strategy that calls shop.search, with texts whose vectors are in the cache, or with vectors as
    JSON."""
    fixed = {
        "filter": json.dumps(filter) if filter is not None else None,
        "k": k,
        "image": legs.image,
        "title": legs.title,
        "keyword": legs.keyword,
    }
    if isinstance(queries, Queries):
        inputs = [json.dumps([{"vector": vector.tolist(), "model": "bench"}]) for vector in queries.vectors]
        parameters = [{"query": None, "inputs": one, **fixed} for one in inputs]
    else:
        parameters = [{"query": text, "inputs": None, **fixed} for text in queries]
    return sessions.strategy(name, questions, SEARCH, parameters)


def remember(shop: Shop, texts: Sequence[str], queries: Queries) -> None:
    """Put query vectors into the query cache under `texts`, as an encoder does, so that searches need no encoder."""
    with shop.admin() as conn:
        register_vector(conn)
        conn.cursor().executemany(
            "insert into shop_private.query_embedding (model_id, key, query, embedding) values "
            "(1, sha256(convert_to('t' || %s::text, 'UTF8')), %s, %b) "
            "on conflict (model_id, key) do update set embedding = excluded.embedding",
            [(text, text, HalfVector(vector)) for text, vector in zip(texts, queries.vectors, strict=True)],
        )
        conn.execute("vacuum analyze shop_private.query_embedding")


def calibrate(shop: Shop, queries: int = 300) -> bool:
    """Run shop.calibrate() with text-like queries that the benchmarks do not measure. Returns False if the database has
    no function shop.search."""
    with shop.admin() as conn:
        conn.execute("delete from shop_private.query_embedding")
        conn.execute("analyze")
        found = conn.execute("select from pg_proc where pronamespace = 'shop'::regnamespace and proname = 'search'")
        if found.rowcount == 0:
            print("shop.search is not measured, because this database does not have it")
            return False
    remember(shop, [f"calibration {n}" for n in range(queries)], shop.catalog.queries("text", queries, seed=99))
    with psycopg.connect(address(shop.database, Role.APP), autocommit=True) as conn:
        conn.execute("select shop.calibrate()")
    with shop.admin() as conn:
        conn.execute("delete from shop_private.query_embedding")
    return True
