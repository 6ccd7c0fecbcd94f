"""Builds the cards of the result grid. Each card shows a product, its links, and why the product was found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from db.search.highlights import Places
from db.search.offers import Offer
from db.search.ranking import SearchHit
from db.search.rows import BrowseItem
from web.api.search import picture_of
from web.page.formatting import label, money
from web.page.reasons import why
from web.page.state import PageState

EAGER = 8  # a browser loads this many images before the visitor scrolls to them


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
    why: list[str]
    more: str
    less: str | None


def cards(
    state: PageState,
    rows: Sequence[SearchHit | BrowseItem],
    offers: Mapping[UUID, Offer],
    words: Mapping[UUID, Places],
) -> list[Card]:
    """Returns the cards of the rows. `words` has the places of the query's words in the products' texts."""
    explain = why(state, words)
    # "Less like this" needs a search that already has a text, an image or an example.
    can_be_less = bool(state.q or state.image or state.like)
    return [
        _card(state, row, offers.get(row.product_id), n < EAGER, explain, can_be_less) for n, row in enumerate(rows)
    ]


def _card(
    state: PageState,
    row: SearchHit | BrowseItem,
    offer: Offer | None,
    eager: bool,
    explain: Callable[[SearchHit], list[str]],
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
        why=explain(row) if isinstance(row, SearchHit) else [],
        more=state.but(like=like, unlike=unlike, sort="").address(),
        less=state.but(unlike=(*unlike, row.sku)).address() if can_be_less else None,
    )


def image_address(row: SearchHit | BrowseItem) -> str | None:
    """Returns the address of the product's image. Returns None if the page may not load it: the page loads images only
    from this service or by https."""
    found = picture_of(row.product_id.hex, row.image_uri, row.image_position, row.image_link, row.image_hash)
    return found.url if found and found.url.startswith(("/", "https://")) else None
