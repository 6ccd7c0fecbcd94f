"""Creates, lists and deletes watches, and reads their matches. The rules of watches are in `db/functions/watches/`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Watch:
    name: str
    catalog: str
    query: str | None
    has_image: bool
    filter: str | None  # JSON
    min_similarity: float | None
    created_at: datetime
    disabled_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Match:
    match_id: int
    sku: str
    title: str
    image_similarity: float | None
    title_similarity: float | None
    matched_at: datetime


_ADD = text(
    "select shop.watch(:name, cast(:query as text), cast(:image as bytea), cast(:filter as jsonb), :catalog, "
    "cast(:min_similarity as double precision))"
)
_LIST = text(
    "select name, catalog, query, image is not null, filter::text, min_similarity, created_at, disabled_at, error "
    "from shop.watch where catalog = :catalog and name = coalesce(cast(:name as text), name) "
    "and name > :after order by name limit :rows"
)
_REMOVE = text("select shop.unwatch(:name, :catalog)")
_MATCHES = text(
    "select m.match_id, p.sku, p.title, m.image_similarity, m.title_similarity, m.matched_at "
    "from shop.watch w join shop.watch_match m using (watch_id) join shop.product p using (product_id) "
    "where w.catalog = :catalog and w.name = :name and m.match_id > :after order by m.match_id limit :rows"
)


def add(
    conn: Connection,
    name: str,
    *,
    query: str | None = None,
    image: bytes | None = None,
    filter_: str | None = None,
    catalog: str = "main",
    min_similarity: float | None = None,
) -> None:
    """Create a watch. `filter_` is JSON. Raises DatabaseError if the database refuses the watch."""
    values = {"name": name, "query": query, "image": image, "filter": filter_, "catalog": catalog}
    conn.execute(_ADD, {**values, "min_similarity": min_similarity})


def listed(conn: Connection, catalog: str, *, after: str = "", rows: int = 1000) -> Sequence[Watch]:
    """Return at most `rows` watches of a catalog whose names come after `after`, in the order of the names."""
    found = conn.execute(_LIST, {"catalog": catalog, "name": None, "after": after, "rows": rows})
    return [Watch(*row) for row in found]


def find(conn: Connection, name: str, catalog: str) -> Watch | None:
    row = conn.execute(_LIST, {"catalog": catalog, "name": name, "after": "", "rows": 1}).one_or_none()
    return None if row is None else Watch(*row)


def remove(conn: Connection, name: str, catalog: str) -> bool:
    return bool(conn.scalar(_REMOVE, {"name": name, "catalog": catalog}))


def matches(conn: Connection, name: str, catalog: str, *, after: int = 0, rows: int = 100) -> Sequence[Match]:
    """Return at most `rows` matches of a watch that have a larger match_id than `after`, in the order of match_id."""
    found = conn.execute(_MATCHES, {"name": name, "catalog": catalog, "after": after, "rows": rows})
    return [Match(*row) for row in found]
