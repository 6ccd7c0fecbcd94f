"""Builds the chips above the results.

Each chip shows one part of the search: the text, an example product, the visitor's image, values of a filter, or the
choice to include less relevant products. The chip links to the same search without that part.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from db.search.rows import BrowseItem
from web.http.addresses import address
from web.page.brand.languages import gettext, money, number, quoted
from web.page.cards import image_address
from web.page.formatting import label
from web.page.state import FIELDS, RELEVANT, PageState

MOST = 20  # at most this many values of a field have a chip, because a chip's address contains all other values


@dataclass(frozen=True, slots=True)
class Chip:
    label: str
    without: str  # address of the same search without the part that this chip shows
    kind: str  # text, filter, like, unlike or image
    image: str | None = None


def chips(state: PageState, examples: Mapping[str, BrowseItem], currency: str | None) -> list[Chip]:
    return [
        *_text(state),
        *_image(state),
        *_examples(state, examples),
        *_values(state),
        *_price(state, currency),
        *_uncut(state),
    ]


def _text(state: PageState) -> Iterator[Chip]:
    if state.q:
        yield Chip(quoted(state.q), state.but(q="").address(), "text")


def _image(state: PageState) -> Iterator[Chip]:
    if state.image:
        text = gettext("A part of your image") if state.box else gettext("Your image")
        yield Chip(text, state.but(image="", box=None).address(), "image", address(f"/picture/{state.image}"))


def _examples(state: PageState, examples: Mapping[str, BrowseItem]) -> Iterator[Chip]:
    for kind in ("like", "unlike"):
        skus: tuple[str, ...] = getattr(state, kind)
        for sku in skus:
            product = examples.get(sku)
            without = state.but(**{kind: tuple(other for other in skus if other != sku)}).address()
            image = image_address(product) if product else None
            small = f"{image}&size=64" if image and image.startswith("/") else image
            yield Chip(product.title if product else sku, without, kind, small)


def _values(state: PageState) -> Iterator[Chip]:
    for name in FIELDS:
        values = state.chosen.get(name, ())
        for value in values[:MOST]:
            without = state.with_values(name, (other for other in values if other != value)).address()
            yield Chip(label(value) if name == "availability" else value, without, "filter")
        if len(values) > MOST:
            more = gettext("%(count)s more") % {"count": number(len(values) - MOST)}
            yield Chip(more, state.with_values(name, values[:MOST]).address(), "filter")


def _price(state: PageState, currency: str | None) -> Iterator[Chip]:
    if state.price_min is None and state.price_max is None:
        return
    low, high = money(state.price_min, currency), money(state.price_max, currency)
    text = gettext("From %(low)s") if low else gettext("Up to %(high)s")
    if low and high:
        text = gettext("%(low)s to %(high)s")
    yield Chip(text % {"low": low, "high": high}, state.but(price_min=None, price_max=None).address(), "filter")


def _uncut(state: PageState) -> Iterator[Chip]:
    if state.is_search and not state.cut:
        yield Chip(gettext("Also less relevant products"), state.but(cut=RELEVANT).address(), "filter")
