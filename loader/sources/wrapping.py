"""Defines the base class of sources that change the rows of another source."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from db.catalog.product import RawProduct
from loader.rejects import Reject
from loader.sources.registry import CatalogSource


class WrappedSource:
    def __init__(self, source: CatalogSource) -> None:
        self._source = source
        self.name: str = source.name
        self.path: Path = source.path
        self.image_root: Path = source.image_root

    @property
    def size(self) -> int | None:
        return self._source.size

    @property
    def done(self) -> int:
        return self._source.done

    @property
    def columns(self) -> Mapping[str, str]:
        return self._source.columns

    def rows(self) -> Iterator[RawProduct | Reject]:
        return self._source.rows()
