"""Builds the cards of the result grid. Each card shows a product, its links, and why the product was found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode
from uuid import UUID

from db.catalog.catalogs import DEFAULT
from db.search.highlights import WordPositions
from db.search.offers import Offer
from db.search.ranking import SearchHit
from db.search.rows import BrowseItem
from web.api.search import picture_of
from web.http.addresses import address
from web.page.brand import visit
from web.page.brand.languages import gettext, money
from web.page.formatting import label
from web.page.reasons import why
from web.page.state import PageState

EAGER = 8  # a browser loads the images of the first EAGER cards at once, and other images when they come into sight


@dataclass(frozen=True, slots=True)
class Card:
    title: str
    brand: str | None
    price: str | None
    before: str | None  # the price before a reduction
    remark: str | None
    image: str | None
    scales: bool  # whether the image's address accepts the parameter `size`
    view: str  # address of the product's own view
    variants: int  # number of variants that this card stands for; 0 if it stands for a single product
    variants_address: str
    eager: bool
    why: list[str]
    more: str
    less: str | None


def cards(
    state: PageState,
    rows: Sequence[SearchHit | BrowseItem],
    offers: Mapping[UUID, Offer],
    words: Mapping[UUID, WordPositions],
    origin: str = "",
) -> list[Card]:
    """Returns the cards of the rows. `words` has the positions of the query's words in the products' titles. `origin`
    is the id of a search that is recorded: the links to the products name it."""
    explain = why(state, words)
    # "Less like this" needs a search that already has a text, an image or an example.
    can_be_less = bool(state.q or state.image or state.like)
    return [
        _card(state, row, offers.get(row.product_id), n < EAGER, explain, can_be_less, origin)
        for n, row in enumerate(rows)
    ]


def _card(
    state: PageState,
    row: SearchHit | BrowseItem,
    offer: Offer | None,
    eager: bool,
    explain: Callable[[SearchHit], list[str]],
    can_be_less: bool,
    search: str,
) -> Card:
    origin = f"{search}.{row.rank}" if search and isinstance(row, SearchHit) else ""
    like = (*(sku for sku in state.like if sku != row.sku), row.sku)
    unlike = tuple(sku for sku in state.unlike if sku != row.sku)
    image = image_address(row)
    group_size = row.group_products or 0
    price = money(offer.price if offer else row.price, row.currency)
    before = money(offer.before, row.currency) if offer else None
    if group_size > 1 and row.group_low is not None and row.group_low != row.group_high:
        price = gettext("from %(low)s") % {"low": money(row.group_low, row.currency)}
        before = None  # the earlier price is that of one variant, but the lowest price may be that of another variant
    return Card(
        title=row.title,
        brand=row.brand,
        price=price,
        before=before,
        remark=None if row.availability in (None, "in_stock") else label(row.availability),
        image=image,
        scales=bool(image and image.startswith("/")),
        view=product_address(row.sku, state.catalog, origin),
        variants=group_size if group_size > 1 else 0,
        variants_address=_variants_address(state, row.sku, origin),
        eager=eager,
        why=explain(row) if isinstance(row, SearchHit) else [],
        more=state.but(like=like, unlike=unlike, sort="").address(),
        less=state.but(unlike=(*unlike, row.sku)).address() if can_be_less else None,
    )


def _variants_address(state: PageState, sku: str, origin: str) -> str:
    """Returns the address of the variants that the card counts. This address has the parameters of the search."""
    search = state.but(sort="").address().partition("?")[2]
    own = urlencode({"sku": sku} | ({"from": origin} if origin else {}), quote_via=quote, errors="replace")
    return address(f"/variants?{own}{'&' if search else ''}{search}")


def product_address(sku: str, catalog: str, origin: str = "") -> str:
    """Returns the address of the product's view. `origin` has the id of a recorded search and the product's rank."""
    return _of_product("/product", sku, catalog, origin)


def similar_address(sku: str, catalog: str) -> str:
    return _of_product("/similar", sku, catalog)


def _of_product(path: str, sku: str, catalog: str, origin: str = "") -> str:
    pairs = {"sku": sku} | ({"catalog": catalog} if catalog not in ("", DEFAULT) else {})
    pairs |= {"from": origin} if origin else {}
    return visit.in_language(address(f"{path}?{urlencode(pairs, quote_via=quote, errors='replace')}"))


def image_address(row: SearchHit | BrowseItem) -> str | None:
    """Returns the address of the product's image. Returns None if the page may not load it: the page loads images only
    from this service or by https."""
    found = picture_of(row.product_id.hex, row.image_uri, row.image_position, row.image_link, row.image_hash)
    return found.url if found and found.url.startswith(("/", "https://")) else None
