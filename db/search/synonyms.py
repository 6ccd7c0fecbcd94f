"""Adds, lists and removes synonyms. Triggers of shop.synonym check each row."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

_COLUMNS = "synonym_id, catalog, language, from_term, terms"
_ADD = text(
    f"insert into shop.synonym (catalog, language, from_term, terms) values (:catalog, :language, :from_term, :terms) "
    "on conflict (catalog, language, from_term, terms) do update set terms = excluded.terms "
    f"returning {_COLUMNS}"
)
_LIST = text(
    f"select {_COLUMNS} from shop.synonym where synonym_id > :after "
    "and (cast(:catalog as text) is null or catalog is null or catalog = :catalog) order by synonym_id limit :rows"
)
_REMOVE = text(f"delete from shop.synonym where synonym_id = :synonym_id returning {_COLUMNS}")


@dataclass(frozen=True, slots=True)
class Synonym:
    """A row of shop.synonym. Without `from_term`, each of `terms` stands for the others; with it, `terms` stand for
    `from_term` alone."""

    synonym_id: int
    catalog: str | None  # None means every catalog
    language: str | None  # None means every language
    from_term: str | None
    terms: Sequence[str]


def add(
    conn: Connection,
    terms: Sequence[str],
    from_term: str | None = None,
    *,
    catalog: str | None = None,
    language: str | None = None,
) -> Synonym:
    """Add a synonym. An equal synonym is kept and returned.

    `conn` belongs to the role app or the administrator, and the caller commits. Raises StatementRefused if
    the database refuses a term, the catalog, the language or a further synonym.
    """
    given = {"catalog": catalog, "language": language, "from_term": from_term, "terms": list(terms)}
    return Synonym(*conn.execute(_ADD, given).one())


def read(conn: Connection, catalog: str | None = None, *, after: int = 0, rows: int = 1000) -> list[Synonym]:
    """Return at most `rows` synonyms that searches of `catalog` may use, in the order of their ids, after the id
    `after`. Without a catalog, return the synonyms of all catalogs."""
    return [Synonym(*row) for row in conn.execute(_LIST, {"catalog": catalog, "after": after, "rows": rows})]


def remove(conn: Connection, synonym_id: int) -> Synonym | None:
    """Remove and return a synonym. Returns None if there is none of this id."""
    row = conn.execute(_REMOVE, {"synonym_id": synonym_id}).one_or_none()
    return None if row is None else Synonym(*row)
