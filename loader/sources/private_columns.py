"""Drops the attributes of a feed that customers must not see, such as purchase prices and suppliers."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from db.catalog.private_attributes import PublicAttributes
from db.catalog.product import RawProduct
from loader.rejects import Reject
from loader.sources.registry import CatalogSource
from loader.sources.wrapping import WrappedSource

MAX_NAMES = 10_000  # at most this many names of public attributes are remembered


def _is_flat(value: Any) -> bool:
    """Returns whether the value is a single value or a list of texts. Such a value contains no named members, which
    could be private too."""
    if isinstance(value, list):
        return all(type(member) is str for member in value)
    return not isinstance(value, dict)


class WithoutPrivateColumns(WrappedSource):
    """Yields the rows of another source without private and ignored attributes.

    `kept` names private attributes that are not dropped. `ignored` names further attributes that are dropped.
    `dropped` counts how often each private attribute was dropped.
    """

    def __init__(self, source: CatalogSource, *, kept: Collection[str] = (), ignored: Collection[str] = ()) -> None:
        super().__init__(source)
        self._public = PublicAttributes(kept=kept, ignored=ignored)
        self._public_names: set[str] = set()

    @property
    def dropped(self) -> Counter[str]:
        return self._public.dropped

    @property
    def columns(self) -> Mapping[str, str]:
        return {
            name: self._shown(field) if field.startswith("attributes.") else field
            for name, field in self._source.columns.items()
        }

    def _shown(self, field: str) -> str:
        name = field.removeprefix("attributes.")
        if self._public.is_private(name):
            return "not loaded: private"
        return "not loaded: ignored" if self._public.is_ignored(name) else field

    def rows(self) -> Iterator[RawProduct | Reject]:
        for row in self._source.rows():
            if isinstance(row, RawProduct) and not self._is_public(row.attributes):
                yield replace(row, attributes=self._public.filtered(row.attributes))
            else:
                yield row

    def _is_public(self, attributes: Mapping[str, Any]) -> bool:
        """Returns True if it is certain that the row keeps all its attributes. This test is fast. If it returns False,
        PublicAttributes examines each attribute."""
        for name, value in attributes.items():
            if type(value) is not str and not _is_flat(value):
                return False
            if name not in self._public_names:
                if self._public.is_private(name) or self._public.is_ignored(name):
                    return False
                if len(self._public_names) < MAX_NAMES:
                    self._public_names.add(name)
        return True
