"""Reads the products, facets and examples that one state of the page shows."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy import Connection

from db.catalog.catalogs import DEFAULT, default_catalog
from db.search import ranking
from db.search.highlights import WordPositions, marked_titles
from db.search.offers import Offer, offers
from db.search.ranking import SearchHit, SearchParams, SearchResult
from db.search.rows import BrowseItem
from web.api.facet_schemas import FacetOf
from web.api.search import group_by_field
from web.http.pool import in_transaction
from web.http.problems import ApiError
from web.page import filters
from web.page.brand.languages import gettext, ngettext, number
from web.page.prices import PRICE_FIELD
from web.page.products.hidden import Conditions, Hidden, narrowed
from web.page.start import EMPTY, Start, read_start
from web.page.state import FIELDS, PAGE, SORTS, PageState
from web.page.timed_cache import TimedCache

_FACETS = [*FIELDS, PRICE_FIELD, filters.TOTAL_FIELD]
_GROUP = "item_group_id"  # the variants of a product share a card
_FACET_VALUES, _PRICE_RANGES = 20, 12  # with more values, a page can have more than 12 KB, compressed


@dataclass(frozen=True, slots=True)
class PageResult:
    """The products, facets and examples to show. `search` is None when the products were listed without a search."""

    products: Sequence[SearchHit | BrowseItem]
    cursor: str  # cursor of the next page; empty on the last page
    search: SearchResult | None
    catalog: str
    facets: list[FacetOf]
    examples: dict[str, BrowseItem]
    offers: dict[UUID, Offer]  # product_id -> offer, for products with a reduced price, or with a sale price alone
    seconds: float
    # product_id -> positions of the query's words in the title of the product
    words: dict[UUID, WordPositions] = field(default_factory=dict)
    start: Start = EMPTY  # categories and queries of the start page; empty on other pages
    groups: int = 0  # number of cards of the whole list; 0 if they were not counted

    @property
    def is_degraded(self) -> bool:
        return self.search is not None and self.search.degraded

    def heading(self, state: PageState) -> str:
        """Returns the heading of the results: usually the number of products, with "About" or "At least" if the number
        is not exact."""
        if not self.products:
            return gettext("No products")
        if self.is_degraded and self.cursor:
            return gettext("Products with these words")
        total, kind = self._total(state)
        text = ngettext("%(count)s product", "%(count)s products", total)
        if kind == "about":
            text = ngettext("About %(count)s product", "About %(count)s products", total)
        elif kind == "at least":
            text = ngettext("At least %(count)s product", "At least %(count)s products", total)
        return text % {"count": number(total)}

    def variants(self, state: PageState) -> str:
        """Returns the number of variants in words, or an empty text if no variants share a card or the number is not
        known. The page shows it after the number of products, because the counts of the facets count variants, too."""
        if not self.products:
            return ""
        grouped = [hit.group_products for hit in self.products if hit.group_products]
        counted = len(self.products) - len(grouped) + sum(grouped)
        if self.cursor or state.after:  # there are further products
            is_known = grouped and not self.is_degraded and all(facet.exact for facet in self.facets)
            counted = filters.total(self.facets) if is_known else 0
        if counted <= self._total(state)[0]:
            return ""
        return ngettext("%(count)s variant", "%(count)s variants", counted) % {"count": number(counted)}

    def _total(self, state: PageState) -> tuple[int, str]:
        """Returns the number of products, where the variants of a product count once, and the kind of this number:
        `exact`, `about` (an estimate) or `at least` (a lower bound)."""
        if not self.cursor and not state.after:  # all products are on this page
            return len(self.products), "exact"
        first, counted = self.products[0], filters.total(self.facets)
        if isinstance(first, SearchHit) and (state.cut or first.total_is == "exact" or not counted):
            return first.total, first.total_is
        if self.groups:
            return self.groups, "exact"
        if any(product.group_products is not None for product in self.products):
            return len(self.products), "at least"
        return counted, "exact" if all(facet.exact for facet in self.facets) else "about"


class Caches:
    """Keeps facets that do not depend on a query, and what is known about a catalog."""

    def __init__(self) -> None:
        self.hidden = Hidden()
        self.facets: TimedCache[tuple[list[FacetOf], int]] = TimedCache(5)  # with the number of groups
        self.starts: TimedCache[Start] = TimedCache(60)
        self.grouped: TimedCache[bool] = TimedCache(60)  # whether a catalog has variants


def _has_variants(conn: Connection, catalog: str) -> bool:
    params = SearchParams(filter=f'{{"{_GROUP}": {{"exists": true}}}}', catalog=catalog, k=1)
    return bool(ranking.browse(conn, params))


def _count(conn: Connection, params: SearchParams, *, with_groups: bool = False) -> tuple[list[FacetOf], int]:
    """Returns the facets and the number of groups. The number is 0 without `with_groups`. It is also 0 if so many
    products pass that a facet is an estimate."""
    rows = ranking.facets(conn, params, _FACETS, _FACET_VALUES, _PRICE_RANGES)
    facets = [facet for facet in group_by_field(rows, _FACETS) if facet.values]
    is_counted = with_groups and all(facet.exact for facet in facets)
    return facets, ranking.browse_total(conn, params.filter, params.catalog) if is_counted else 0


def read_page(
    conn: Connection,
    state: PageState,
    image: bytes | None,
    caches: Caches,
    public_catalogs: Sequence[str] | None,
    *,
    with_filters: bool,
) -> PageResult:
    """Read the results for `state`, from the default catalog if `state` names no catalog. `image` is the uploaded image
    that `state` names. Facets, examples and the start are read only if `with_filters` is set.

    Raises ApiError for a catalog that is not in `public_catalogs`, which is None if all catalogs are public."""
    catalog = state.catalog or default_catalog(conn, public_catalogs)
    if public_catalogs is not None and catalog not in public_catalogs:
        raise ApiError(
            "not-found", "This page shows no such catalog." if catalog else "This page shows no catalog yet."
        )
    state = replace(state, catalog=catalog or DEFAULT)
    is_grouped = caches.grouped.get(catalog, lambda: _has_variants(conn, state.catalog))
    hidden = caches.hidden.conditions(conn, state.catalog)
    shown = narrowed(state.filter, hidden)
    params = SearchParams(
        query=state.q or None,
        image=image,
        inputs=state.inputs,
        filter=state.filter if state.q else shown,
        k=PAGE,
        catalog=state.catalog,
        after=state.after or None,
        degrade=bool(state.q),
        cut=state.cut if state.is_search else None,
        sort=SORTS.get(state.sort),
        correct=state.correct,
        group_by=_GROUP if is_grouped else None,
    )

    rest = max(0, state.shown - PAGE) if not state.after else 0

    def read(conn: Connection) -> PageResult:
        began = time.perf_counter()
        search, products, cursor = (
            _search(conn, params, rest) if state.is_search else _list(conn, replace(params, k=PAGE + rest))
        )
        reduced = offers(conn, [product.product_id for product in products])
        seconds = time.perf_counter() - began
        words = _words(conn, state, search, products)
        if not with_filters:
            return PageResult(products, cursor, search, state.catalog, [], {}, reduced, seconds, words)
        # Without a cut, only the operators of a query change its facets. So the facets of a query without operators
        # are cached.
        is_cached = params.cut is None and not ranking.MAY_HAVE_OPERATORS.search(state.q)
        key = state.catalog, shown
        counted = SearchParams(filter=shown, catalog=state.catalog) if is_cached else replace(params, filter=shown)
        facets, groups = (
            caches.facets.get(key, lambda: _count(conn, counted, with_groups=is_grouped))
            if is_cached
            else _count(conn, counted)
        )
        examples = _read_examples(conn, state, hidden)
        start = EMPTY
        if state.is_start:
            start = caches.starts.get(key, lambda: read_start(conn, state.catalog, facets, hidden))
        return PageResult(
            products, cursor, search, state.catalog, facets, examples, reduced, seconds, words, start, groups
        )

    if params.cut is None or not with_filters:
        return read(conn)
    return in_transaction(conn, read, "repeatable read")  # one snapshot for results and facets


def _search(conn: Connection, params: SearchParams, rest: int) -> tuple[SearchResult, Sequence[SearchHit], str]:
    """Returns the products of a page, followed by up to `rest` more products, and the cursor of the next page."""
    found = ranking.search(conn, params)
    if not rest or not found.next:
        return found, found.rows, found.next or ""
    more = ranking.search(conn, replace(params, after=found.next, k=rest))
    return found, [*found.rows, *more.rows], more.next or ""


def _list(conn: Connection, params: SearchParams) -> tuple[None, Sequence[BrowseItem], str]:
    k = params.k
    listed = ranking.browse(conn, replace(params, k=k + 1), params.sort)  # one more product shows that a page follows
    return None, listed[:k], listed[k - 1].cursor if len(listed) > k else ""


def _words(
    conn: Connection, state: PageState, search: SearchResult | None, rows: Sequence[SearchHit | BrowseItem]
) -> dict[UUID, WordPositions]:
    """Returns the positions of the query's words in the titles of the products that were found by words."""
    if search is None or not state.q:
        return {}
    by_words = [row.product_id for row in rows if isinstance(row, SearchHit) and row.keyword_rank is not None]
    return marked_titles(conn, search.corrected or state.q, by_words) if by_words else {}


def _read_examples(conn: Connection, state: PageState, hidden: Conditions) -> dict[str, BrowseItem]:
    """Returns, by SKU, the example products of the search, which are the products of `like` and `unlike`."""
    skus = [*state.like, *state.unlike]
    if not skus:
        return {}
    named = SearchParams(filter=narrowed(None, {"sku": skus, **hidden}), k=len(skus), catalog=state.catalog)
    return {product.sku: product for product in ranking.browse(conn, named)}
