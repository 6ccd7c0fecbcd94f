"""Drops attributes that customers must not see, such as purchase prices, suppliers, and names of reviewers."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

from db.catalog.product import RawProduct
from loader.rejects import Reject
from loader.sources.reading.columns import normalised
from loader.sources.registry import CatalogSource
from loader.sources.wrapping import WrappedSource

# An attribute is private if its name has one of PRIVATE_WORDS, or one of PRIVATE_PAIRS as two adjacent words, but none
# of PUBLIC_WORDS.
PRIVATE_WORDS = frozenset((
    "cost", "costs", "cogs", "costprice", "costperitem", "wholesale", "wholesaleprice", "supplier", "suppliers",
    "supplierid", "margin", "markup", "profit", "reviewer", "reviewers", "reviewername", "email", "einkaufspreis",
    "lieferant", "fournisseur", "proveedor", "fornitore", "leverancier",
))  # fmt: skip
PRIVATE_PAIRS = frozenset((
    "purchase_price", "purchasing_price", "buying_price", "buy_price", "dealer_price", "trade_price", "reseller_price",
    "prix_achat", "precio_compra", "ek_preis", "reviews_username", "review_author", "review_username", "user_name",
    "reviews_author", "internal_note", "internal_notes", "private_note", "private_notes", "admin_note",
))  # fmt: skip
PUBLIC_WORDS = frozenset(("shipping", "delivery"))  # "shipping_cost" is for customers


@lru_cache
def is_private(name: str) -> bool:
    words = [word for word in re.split("[^a-z0-9]+", normalised(name)) if word]
    if not PUBLIC_WORDS.isdisjoint(words):
        return False
    pairs = {f"{first}_{second}" for first, second in pairwise(words)}
    return not (PRIVATE_WORDS.isdisjoint(words) and PRIVATE_PAIRS.isdisjoint(pairs))


class WithoutPrivateColumns(WrappedSource):
    """The rows of another source, without private and ignored attributes.

    `kept` names private attributes that are not dropped. `ignored` names further attributes that are dropped.
    `dropped` counts the rows from which each private attribute was dropped.
    """

    def __init__(self, source: CatalogSource, *, kept: Collection[str] = (), ignored: Collection[str] = ()) -> None:
        super().__init__(source)
        self._kept = frozenset(map(normalised, kept))
        self._ignored = frozenset(map(normalised, ignored))
        self.dropped: Counter[str] = Counter()

    @property
    def columns(self) -> Mapping[str, str]:
        return {
            name: self._shown(field) if field.startswith("attributes.") else field
            for name, field in self._source.columns.items()
        }

    def _shown(self, field: str) -> str:
        name = field.removeprefix("attributes.")
        if is_private(name) and normalised(name) not in self._kept:
            return "not loaded: private"
        return "not loaded: ignored" if normalised(name) in self._ignored else field

    def rows(self) -> Iterator[RawProduct | Reject]:
        for row in self._source.rows():
            if isinstance(row, RawProduct) and row.attributes:
                public = self._public(row.attributes)
                yield row if public == row.attributes else replace(row, attributes=public)
            else:
                yield row

    def _public(self, members: Any) -> Any:
        """Returns a value without the private and ignored members of its objects."""
        if isinstance(members, list):
            return [self._public(member) for member in members]
        if not isinstance(members, dict):
            return members
        public = {}
        for name, value in members.items():
            if is_private(name) and normalised(name) not in self._kept:
                self.dropped[name] += 1
            elif not self._ignored or normalised(name) not in self._ignored:
                public[name] = self._public(value) if isinstance(value, dict | list) else value
        return public
