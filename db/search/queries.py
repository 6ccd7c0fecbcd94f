"""Lists queries that show a shop what to improve: queries without a result, queries with few clicks, and queries whose
vector was often missing in the query cache."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

DAYS = 30  # `with_few_clicks` counts the events of this many days
MOST_EVENTS = 200_000  # `with_few_clicks` reads only this number of a catalog's newest events, to limit its time
LEAST_SEARCHES = 5  # a query with fewer searches says little about its clicks

_NO_RESULT = text(
    "select query, searches, visitors, last_at from shop.no_result_queries where catalog = :catalog limit :rows"
)
# A click names the query of its search, or only the search. Two clicks of one search count as one.
_FEW_CLICKS = text(
    """
with recent as materialized (
    select e.kind, e.query, e.search_id, e.results, coalesce(e.search_id, e.event_id::text) as one
    from shop.event e where e.catalog = :catalog and e.at > now() - make_interval(days => :days)
    order by e.at desc limit :events
),
asked as (
    select r.query, count(*) as searches from recent r
    where r.kind = 'search' and r.results is distinct from 0 and r.query is not null
    group by r.query having count(*) >= :least
),
named as (select distinct r.search_id, r.query from recent r where r.kind = 'search' and r.search_id is not null),
clicked as (
    select coalesce(r.query, n.query) as query, count(distinct r.one) as clicks
    from recent r left join named n using (search_id) where r.kind <> 'search' group by 1
)
select a.query, a.searches, least(coalesce(c.clicks, 0), a.searches) from asked a left join clicked c using (query)
order by least(coalesce(c.clicks, 0), a.searches)::numeric / a.searches, a.searches desc, a.query limit :rows
"""
)
_POPULAR = text("select query, model, asked from shop.popular_queries limit :rows")


@dataclass(frozen=True, slots=True)
class NoResultQuery:
    query: str
    searches: int
    visitors: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class ClickedQuery:
    """`clicks` is the number of searches that led to a click or another action on a product. An action that names no
    search counts like a search of its own. `clicks` is never larger than `searches`."""

    query: str
    searches: int
    clicks: int


@dataclass(frozen=True, slots=True)
class PopularQuery:
    query: str
    model: str
    asked: int


def without_result(conn: Connection, catalog: str, rows: int) -> Sequence[NoResultQuery]:
    """Return the queries of a catalog that found nothing, the most frequent first. `conn` belongs to the role app."""
    return [NoResultQuery(*row) for row in conn.execute(_NO_RESULT, {"catalog": catalog, "rows": rows})]


def with_few_clicks(conn: Connection, catalog: str, rows: int) -> Sequence[ClickedQuery]:
    """Return queries, those with the smallest share of clicks first.

    Searches that found nothing do not count. Only the newest MOST_EVENTS events of the last DAYS days count, and only
    queries with at least LEAST_SEARCHES searches.
    """
    given = {"catalog": catalog, "days": DAYS, "events": MOST_EVENTS, "least": LEAST_SEARCHES, "rows": rows}
    return [ClickedQuery(*row) for row in conn.execute(_FEW_CLICKS, given)]


def popular(conn: Connection, rows: int) -> Sequence[PopularQuery]:
    """Return rows of shop.popular_queries, whose texts are of all catalogs. The text whose vector was missing in the
    cache most often comes first.

    `conn` belongs to the role app.
    """
    return [PopularQuery(*row) for row in conn.execute(_POPULAR, {"rows": rows})]
