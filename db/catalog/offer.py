"""Reads the prices, the sale, the stock, the ratings and the date of publication of a product."""

import re
from typing import Any

from db.catalog import dates, prices, values
from db.catalog.currencies import SHARED, THREE_DECIMALS
from db.catalog.product import OFFER_COLUMNS, SALE_DATES

Fault = tuple[str, str]  # the field, and the reason
FIELDS = frozenset((*OFFER_COLUMNS, SALE_DATES))
PRICES = ("price", "sale_price", "compare_at_price")
DATES_OF_SALE = ("sale_starts_at", "sale_ends_at")
_BETWEEN_DATES = re.compile(r"\s+(?:[-\u2013\u2014/]|to|until|till|bis|au|al|a|tot|do|til)\s+")
_READERS = {
    "published_at": dates.moment,
    "rating": values.rating,
    "review_count": values.review_count,
}


def read_price(name: str, texts: dict[str, Any], faults: list[Fault], warnings: list[Fault]) -> None:
    """Replace the text of a price by the amount. If the text is not a price, or its currency is not the currency of
    the product, add a fault and replace the text by None.

    If the product has no currency yet, it gets the currency in the text. If the text of `price` names a currency other
    than that of the product, the product's currency is replaced by None too. Adds a warning if the amount is the lowest
    of several prices or a price without tax. Also adds a warning for a price of 0, and if the currency has three
    decimals and the amount loses the third.
    """
    written = texts.get(name)
    if not written:
        return
    try:
        texts[name], in_price = prices.price(written, texts.get("currency"))
    except ValueError as error:
        faults.append((name, f"{name}{str(error).removeprefix('price')}"))
        texts[name] = None
        return
    if in_price and texts.get("currency") not in (None, in_price):
        faults.append((name, f"{name} is in {in_price}, currency is {texts['currency']}"))
        texts[name] = None
        if name == "price":
            texts["currency"] = None
    elif in_price:
        texts["currency"] = in_price
    if name == "price" and texts[name] == 0:
        warnings.append(
            (name, "price is 0, so the product is free of charge; if the product has no price, leave the price empty")
        )
    if texts[name] is not None and (remark := prices.remark(written)):
        warnings.append((name, f'{name} "{prices.shown(written)}" is stored as {texts[name]}, {remark}'))
    if texts.get("currency") in THREE_DECIMALS and prices.has_three_decimals(written, texts["currency"]):
        warnings.append(
            (name, f'{name} "{written}" is rounded to {texts[name]}, because stored prices have two decimals')
        )


def read_offer(
    texts: dict[str, Any], faults: list[Fault], warnings: list[Fault], *, written_price: str | None = None
) -> None:
    """Replace the texts of `FIELDS` by values. If a text cannot be read, add a fault and replace the text by None.

    Replaces a sale price or compare-at price of 0 by None, with a warning. The caller has read `price` before this
    call; `written_price` is its text. If that text was faulty, the other prices are dropped too, because a sale price
    without the regular price would be the only price. A price is also dropped if an earlier price has a symbol that
    several currencies share, and the symbol cannot mean the currency of this price.
    """
    is_price_faulty = texts.get("price") is None and any(name == "price" for name, _ in faults)
    symbol = _shared_symbol(written_price, texts) if texts.get("price") is not None else None
    for name in PRICES[1:]:
        written = texts.get(name)
        if not written:
            continue
        if is_price_faulty:
            faults.append((name, f"{name} is left out, because the price is faulty"))
            texts[name] = None
        elif symbol and (unit := _unit(written)) and not prices.may_be_equal(symbol, unit):
            faults.append((name, f'{name} "{prices.shown(written)}" is not in {symbol}, the currency of another price'))
            texts[name] = None
        read_price(name, texts, faults, warnings)
        symbol = symbol or _shared_symbol(written, texts)
        if texts.get(name) == 0 and texts[name] is not None:
            warnings.append((name, f"{name} 0 is left out: shops write 0 for a product without this price"))
            texts[name] = None
    _read_stock(texts, faults)
    for name, read in _READERS.items():
        if texts.get(name):
            try:
                texts[name] = read(texts[name])
            except ValueError as error:
                faults.append((name, f"{name} {error}"))
                texts[name] = None
    _read_sale(texts, faults)


def _read_stock(texts: dict[str, Any], faults: list[Fault]) -> None:
    """Read the quantity. Words in it, such as "sold out", give the availability if the product has none."""
    if not (written := texts.get("quantity")):
        return
    try:
        texts["quantity"], word = values.stock(written)
    except ValueError as error:
        faults.append(("quantity", f"quantity {error}"))
        texts["quantity"] = None
        return
    if word and not texts.get("availability") and all(name != "availability" for name, _ in faults):
        texts["availability"] = word


def _unit(written: str) -> str | None:
    try:
        return prices.split(written).unit
    except ValueError:
        return None


def _shared_symbol(written: str | None, texts: dict[str, Any]) -> str | None:
    """Return the symbol in a price if several currencies share it and the currency of the product is not known."""
    unit = _unit(written) if written and not texts.get("currency") else None
    return unit if unit in SHARED else None


def _read_sale(texts: dict[str, Any], faults: list[Fault]) -> None:
    """Read the dates of a sale. If a date cannot be read, or if the sale ends before it starts, the sale price is
    dropped, because the sale could be on at a wrong time."""
    both = texts.pop(SALE_DATES, None)
    if both:
        parts = _BETWEEN_DATES.split(both)
        parts = parts if len(parts) == 2 else both.split("/")
        if len(parts) == 2:
            for name, written in zip(DATES_OF_SALE, map(str.strip, parts), strict=True):
                texts[name] = texts.get(name) or written or None
        else:
            faults.append((SALE_DATES, f'{SALE_DATES} "{prices.shown(both)}" is not a start and an end: START/END'))
    for name in DATES_OF_SALE:
        if texts.get(name):
            try:
                texts[name] = dates.moment(texts[name], is_end=name == "sale_ends_at")
            except ValueError as error:
                faults.append((name, f"{name} {error}"))
                texts[name] = None
    starts_at, ends_at = (texts.get(name) for name in DATES_OF_SALE)
    if starts_at and ends_at and starts_at > ends_at:
        faults.append(("sale_ends_at", f"the sale ends at {ends_at}, before it starts at {starts_at}"))
    if texts.get("sale_price") is not None and any(name in (*DATES_OF_SALE, SALE_DATES) for name, _ in faults):
        faults.append(("sale_price", "sale_price is left out, because the dates of the sale are not known"))
        texts["sale_price"] = None
