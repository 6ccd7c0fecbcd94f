"""Builds the cards of the result grid. Each card shows a product, its links, and why the product was found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from db.search.offers import Offer
from db.search.ranking import SearchHit
from db.search.rows import BrowseItem
from web.api.search import picture_of
from web.page.formatting import capitalized, label, money, ordinal
from web.page.state import PageState

EAGER = 8  # a browser loads this many images before the visitor scrolls to them

# For each leg: the name, the words for a product that the leg found, and the words for a product that it did not find.
_LEGS = {
    "image": ("Image", "nearest image", "not among the nearest images"),
    "title": ("Title", "nearest title", "not among the nearest titles"),
    "keyword": ("Words", "best match of your words", "none of your words are in it"),
}

# For each kind of exact match, why the product comes first.
_EXACT = {
    "sku": "its SKU is what you typed",
    "gtin": "its GTIN is what you typed",
    "mpn": "its part number is what you typed",
    "attribute": "an identifier among its attributes is what you typed",
    "brand": "its brand is what you typed",
    "text": "the code that you typed is in its text",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Says why a product was found: its exact match, or the rank that a leg gives the product, if any. `share` is the
    leg's part of the score, in percent."""

    leg: str
    words: str
    share: int


@dataclass(frozen=True, slots=True)
class Card:
    title: str
    brand: str | None
    price: str | None
    before: str | None  # the price before a reduction
    remark: str | None
    image: str | None
    scales: bool  # whether the image's address accepts the parameter `size`
    link: str | None
    eager: bool
    why: list[Reason]
    more: str
    less: str | None


def cards(state: PageState, rows: Sequence[SearchHit | BrowseItem], offers: Mapping[UUID, Offer]) -> list[Card]:
    reasons = _reasons([row for row in rows if isinstance(row, SearchHit)])
    # "Less like this" needs a search that already has a text, an image or an example.
    can_be_less = bool(state.q or state.image or state.like)
    return [
        _card(state, row, offers.get(row.product_id), n < EAGER, reasons, can_be_less) for n, row in enumerate(rows)
    ]


def _card(
    state: PageState,
    row: SearchHit | BrowseItem,
    offer: Offer | None,
    eager: bool,
    reasons: Callable[[SearchHit], list[Reason]],
    can_be_less: bool,
) -> Card:
    like = (*(sku for sku in state.like if sku != row.sku), row.sku)
    unlike = tuple(sku for sku in state.unlike if sku != row.sku)
    image = image_address(row)
    return Card(
        title=row.title,
        brand=row.brand,
        price=money(offer.price if offer else row.price, row.currency),
        before=money(offer.before, row.currency) if offer else None,
        remark=None if row.availability in (None, "in_stock") else label(row.availability),
        image=image,
        scales=bool(image and image.startswith("/")),
        link=row.link if row.link and row.link.startswith(("http://", "https://")) else None,
        eager=eager,
        why=reasons(row) if isinstance(row, SearchHit) else [],
        more=state.but(like=like, unlike=unlike).address(),
        less=state.but(unlike=(*unlike, row.sku)).address() if can_be_less else None,
    )


def image_address(row: SearchHit | BrowseItem) -> str | None:
    """Returns the address of the product's image. Returns None if the page may not load it: the page loads images only
    from this service or by https."""
    found = picture_of(row.product_id.hex, row.image_uri, row.image_position, row.image_link, row.image_hash)
    return found.url if found and found.url.startswith(("/", "https://")) else None


def _reasons(rows: Sequence[SearchHit]) -> Callable[[SearchHit], list[Reason]]:
    """Returns a function that returns the reasons of a row. The reasons do not mention a leg that ranks none of the
    rows, because that leg was not run or found nothing."""
    legs = [leg for leg in _LEGS if any(getattr(row, f"{leg}_rank") for row in rows)]

    def reasons(row: SearchHit) -> list[Reason]:
        total = sum(getattr(row, f"{leg}_contribution") or 0 for leg in legs) or 1
        exact = [Reason("Exact", capitalized(_EXACT[row.exact_match]), 0)] if row.exact_match else []
        return exact + [_reason(row, leg, total) for leg in legs]

    return reasons


def _reason(row: SearchHit, leg: str, total: float) -> Reason:
    name, found, not_found = _LEGS[leg]
    rank = getattr(row, f"{leg}_rank")
    if rank is None:
        return Reason(name, capitalized(not_found), 0)
    measure = (
        f"score {row.keyword_score:.2f}" if leg == "keyword" else f"distance {getattr(row, f'{leg}_distance'):.3f}"
    )
    which = found if rank == 1 else f"{ordinal(rank)} {found}"
    share = round(100 * (getattr(row, f"{leg}_contribution") or 0) / total)
    return Reason(name, f"{capitalized(which)}, {measure}", share)
