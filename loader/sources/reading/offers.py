"""Reads prices, currency, availability, condition and stock of a product from its schema.org offers."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from db.catalog import prices, values
from db.catalog.rows.cells import one_text

OTHER_PRICES = frozenset(("StrikethroughPrice", "ListPrice", "MSRP", "SRP", "MinimumAdvertisedPrice", "InvoicePrice"))
# The types of price that can become the compare-at price
STRUCK_PRICES = frozenset(("StrikethroughPrice", "ListPrice", "MSRP", "SRP"))
BEST_FIRST = ("in_stock", "preorder", "backorder", "out_of_stock")


class Offered(NamedTuple):
    price: str
    currency: str
    availability: str
    condition: str
    has_more_prices: bool  # whether there are several offers or a range of prices, which the fields cannot hold
    compare_at_price: str = ""
    quantity: str = ""


def offered(offers: Any) -> Offered:
    """Returns the lowest price in the currency of the first price, and the best availability of all offers. The
    condition is set if all offers that name a condition name the same one. The compare-at price and the stock are set
    only if there is a single offer.

    `offers` is an Offer, an AggregateOffer, or a list of such objects.
    """
    every = list(_single(offers))
    if not every:
        return Offered("", "", "", "", False)
    costs = [(_price(offer), _currency(offer)) for offer in every]
    costs = [cost for cost in costs if cost[0]]
    price, currency = min(
        (cost for cost in costs if cost[1] == costs[0][1]), key=lambda cost: _amount(cost[0]), default=("", "")
    )
    words = [one_text("availability", offer.get("availability")) for offer in every]
    words = [word for word in words if word]
    known = [word for word in map(_availability, words) if word]
    conditions = {one_text("condition", offer.get("itemCondition")) for offer in every} - {""}
    return Offered(
        price,
        currency,
        min(known, key=BEST_FIRST.index, default=next(iter(words), "")),
        conditions.pop() if len(conditions) == 1 else "",
        len(every) > 1 or "highPrice" in every[0],
        _compared(every[0]) if len(every) == 1 else "",
        _stock(every[0]) if len(every) == 1 else "",
    )


def _availability(word: str) -> str | None:
    try:
        return values.availability(word)
    except ValueError:
        return None


def _single(offers: Any) -> Iterator[dict[str, Any]]:
    if isinstance(offers, list):
        for member in offers:
            yield from _single(member)
    elif isinstance(offers, dict):
        inner = offers.get("offers")
        if "lowPrice" in offers or "price" in offers or not inner:
            yield offers
        else:
            yield from _single(inner)


def _price(offer: dict[str, Any]) -> str:
    return one_text("price", _specified(offer, "price") or offer.get("lowPrice"))


def _currency(offer: dict[str, Any]) -> str:
    return one_text("currency", _specified(offer, "priceCurrency"))


def _specified(offer: dict[str, Any], name: str) -> Any:
    """Returns the offer's own value for `name`. If the offer has none, returns the value in the first price
    specification that applies to everybody, or else in the first specification."""
    if offer.get(name) is not None:
        return offer[name]
    every = _specifications(offer)
    best = next((each for each in every if not _is_other_price(each)), every[0] if every else {})
    return best.get(name)


def _specifications(offer: dict[str, Any]) -> list[dict[str, Any]]:
    found = offer.get("priceSpecification")
    return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict)]


def _is_other_price(specification: dict[str, Any]) -> bool:
    """Returns whether this is not the price that everybody pays. Other prices are a price for an amount such as 100 ml,
    a price for members of a club, and a price of a type in OTHER_PRICES."""
    others = "referenceQuantity" in specification or "validForMemberTier" in specification
    return others or _kind(specification) in OTHER_PRICES


def _kind(specification: dict[str, Any]) -> str:
    return str(specification.get("priceType", "")).rpartition("/")[2]


def _compared(offer: dict[str, Any]) -> str:
    """Returns the list price or the crossed-out price, if the offer also has a price."""
    struck = [each for each in _specifications(offer) if _kind(each) in STRUCK_PRICES]
    return one_text("compare_at_price", struck[0].get("price")) if struck and _price(offer) else ""


def _stock(offer: dict[str, Any]) -> str:
    level = offer.get("inventoryLevel")
    return one_text("quantity", level.get("value") if isinstance(level, dict) else level)


def _amount(price: str) -> Decimal:
    """Returns the amount of a price. A price that cannot be read counts as the highest price."""
    try:
        return prices.price(price)[0]
    except ValueError:
        return prices.MAX_PRICE
