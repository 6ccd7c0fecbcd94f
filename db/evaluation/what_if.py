"""Asks `shop.what_if` how a shop's changes would change the results of a suite of judged queries."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

_ASK = text("select * from shop.what_if(cast(:changes as jsonb), :suite, :k)")


_ALSO = text(
    "insert into shop.judgement (query, catalog, sku, grade) "
    "select q, :catalog, '-', 0 from unnest(cast(:queries as text[])) q on conflict do nothing"
)


@dataclass(frozen=True, slots=True)
class Quality:
    """nDCG@10 and recall@k of a query, or their means over the judged queries, before and after the changes. All four
    are None if the query has no relevant product, or if no query is judged."""

    ndcg_before: float | None
    ndcg_after: float | None
    recall_before: float | None
    recall_after: float | None


@dataclass(frozen=True, slots=True)
class ChangedPage:
    """A query whose first page changes. The lists hold SKUs, in the order of the page that has them."""

    query: str
    catalog: str
    before: Sequence[str]
    after: Sequence[str]
    entered: Sequence[str]
    gone: Sequence[str]
    moved: Sequence[str]
    quality: Quality


@dataclass(frozen=True, slots=True)
class Answer:
    queries: int
    judged: int  # the number of queries with a relevant product
    changed: int  # the number of queries whose first page changes
    quality: Quality  # the means of the judged queries
    pages: Sequence[ChangedPage]  # the greatest loss of nDCG first


def ask(conn: Connection, changes: str, *, suite: str = "default", k: int = 10) -> Answer:
    """Return what `changes`, a JSON array (docs/relevance.md), would do to the first `k` products of each query.

    `conn` belongs to the role app. Nothing is changed. Raises DatabaseError if the changes cannot be made, and
    EncoderUnavailable if a text cannot be encoded.
    """
    summary, *rows = conn.execute(_ASK, {"changes": changes, "suite": suite, "k": k}).all()
    pages = [
        ChangedPage(
            row.query, row.catalog, row.before, row.after, row.entered, row.gone, row.moved,
            Quality(row.ndcg_before, row.ndcg_after, row.recall_before, row.recall_after),
        )
        for row in rows
    ]  # fmt: skip
    quality = Quality(summary.ndcg_before, summary.ndcg_after, summary.recall_before, summary.recall_after)
    return Answer(summary.queries, summary.judged, summary.changed, quality, pages)


def ask_also(conn: Connection, queries: Sequence[str], catalog: str) -> None:
    """Let `ask` search with these queries too: for each query, add a judgement of grade 0 to the suite `default`.

    Afterwards, the caller rolls back to a savepoint, because the judgements are for one question only.
    """
    conn.execute(_ALSO, {"queries": list(queries), "catalog": catalog})
