"""Leaves out the products that rules with the condition `always` hide from every visitor.

shop.search follows the rules in a search by a text. Lists, searches by an image, facets and the view of a product have
no rules, so the page adds a filter there. A rule that is too large for this filter hides nothing there.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection

from db.catalog.parts import Listed
from db.functions.constants import MAX_RESULTS
from db.search import ranking, rules
from db.search.ranking import SearchParams
from web.page.timed_cache import TimedCache

# A filter has at most 1,000 conditions, 20 levels and 1 MB (docs/filters.md). The rules may use less, because the
# visitor's filter is added.
_MOST_KEYS, _MOST_LEVELS, _MOST_BYTES = 900, 17, 500_000

Conditions = dict[str, Any]  # a filter in the language of docs/filters.md, empty if nothing is hidden


class Hidden:
    """Keeps the conditions of each catalog for some seconds."""

    def __init__(self) -> None:
        self._kept: TimedCache[Conditions] = TimedCache(5)

    def conditions(self, conn: Connection, catalog: str) -> Conditions:
        """Returns a filter that excludes the products that visitors may not see."""
        return self._kept.get(catalog, lambda: _read(conn, catalog))

    def hides(self, conn: Connection, catalog: str, sku: str) -> bool:
        conditions = self.conditions(conn, catalog)
        return bool(conditions) and sku not in visible(conn, catalog, [sku], conditions)

    def leave_out(self, conn: Connection, rows: Sequence[Listed]) -> list[Listed]:
        """Returns the rows of a sitemap, without the rows of hidden products."""
        hidden: set[Listed] = set()
        for catalog in {row.catalog for row in rows}:
            conditions, own = self.conditions(conn, catalog), [row for row in rows if row.catalog == catalog]
            for start in range(0, len(own) if conditions else 0, MAX_RESULTS):
                part = own[start : start + MAX_RESULTS]
                seen = visible(conn, catalog, [row.sku for row in part], conditions)
                hidden |= {row for row in part if row.sku not in seen}
        return [row for row in rows if row not in hidden]


def visible(conn: Connection, catalog: str, skus: list[str], conditions: Conditions) -> set[str]:
    """Returns those of the SKUs whose products exist and are not hidden."""
    named = SearchParams(filter=narrowed(None, {"sku": skus, **conditions}), k=len(skus), catalog=catalog)
    return {found.sku for found in ranking.browse(conn, named)}


def narrowed(filter_: str | None, conditions: Conditions) -> str | None:
    """Returns `filter_` with the conditions added. `filter_` is a filter of the page, which has no `not`."""
    if not conditions:
        return filter_
    given: Conditions = msgspec.json.decode(filter_) if filter_ else {}
    return msgspec.json.encode({**given, **conditions}).decode()


def _read(conn: Connection, catalog: str) -> Conditions:
    skus: list[str] = []
    filters: list[Conditions] = []
    keys = size = 0
    for hide in rules.hidden_always(conn, catalog):
        found = msgspec.json.decode(hide)
        if isinstance(found, str):
            skus.append(found)
            continue
        more, levels = _measure(found)
        if keys + more > _MOST_KEYS or levels > _MOST_LEVELS or size + len(hide) > _MOST_BYTES:
            structlog.get_logger().warning("a rule that hides products is too large for the page", catalog=catalog)
            continue
        keys, size = keys + more, size + len(hide)
        filters.append(found)
    if skus:
        filters.append({"sku": skus})
    if not filters:
        return {}
    return {"not": filters[0] if len(filters) == 1 else {"or": filters}}


def _measure(value: Any) -> tuple[int, int]:
    """Returns the number of keys in a JSON value, and the number of levels of its objects."""
    if isinstance(value, dict):
        inner = [_measure(each) for each in value.values()]
        return len(value) + sum(keys for keys, _ in inner), 1 + max((levels for _, levels in inner), default=0)
    inner = [_measure(each) for each in value] if isinstance(value, list) else []
    return sum(keys for keys, _ in inner), max((levels for _, levels in inner), default=0)
