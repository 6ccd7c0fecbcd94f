"""Changes the values of a feed as the options --map-values, --currency, --base-url and --image-root say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin, urlsplit

from db.catalog import prices
from db.catalog.product import RawProduct
from loader.rejects import Reject
from loader.sources.registry import CatalogSource
from loader.sources.wrapping import WrappedSource


@dataclass(frozen=True)
class ValueChanges:
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # field -> value -> its replacement
    currency: str | None = None  # the currency of prices that name no currency
    base_url: str | None = None  # relative addresses of images and links are resolved against this address
    from_root: bool = False  # whether the "/" at the start of an image path means the image root

    def __bool__(self) -> bool:
        return bool(self.values or self.currency or self.base_url or self.from_root)


class ChangedValues(WrappedSource):
    def __init__(self, source: CatalogSource, changes: ValueChanges) -> None:
        super().__init__(source)
        self._changes = changes
        self._values = {
            name: {given.strip().casefold(): wanted for given, wanted in values.items()}
            for name, values in changes.values.items()
        }

    def rows(self) -> Iterator[RawProduct | Reject]:
        only_root = replace(self._changes, from_root=False) == ValueChanges()
        for row in self._source.rows():
            if isinstance(row, Reject) or (only_root and not any(path.startswith("/") for path in row.images)):
                yield row
            else:
                yield self._changed(row)

    def _changed(self, row: RawProduct) -> RawProduct:
        fields = dict(row.fields)
        for name, values in self._values.items():
            if (wanted := values.get(fields.get(name, "").strip().casefold())) is not None:
                fields[name] = wanted
        price = fields.get("price")
        if self._changes.currency and price and not fields.get("currency") and _names_no_currency(price):
            fields["currency"] = self._changes.currency
        for name in ("link", "image_link"):
            if fields.get(name):
                fields[name] = self._address(fields[name])
        return replace(row, fields=fields, images=self._images(row.images))

    def _images(self, images: Sequence[str]) -> list[str]:
        addresses = map(self._address, images)
        if not self._changes.from_root:
            return list(addresses)
        return [path.lstrip("/") if path.startswith("/") and not path.startswith("//") else path for path in addresses]

    def _address(self, written: str) -> str:
        base = self._changes.base_url
        if not base or urlsplit(written).scheme:
            return written
        return urljoin(base if base.endswith("/") else f"{base}/", written.replace(" ", "%20"))


def _names_no_currency(price: str) -> bool:
    try:
        return prices.split(price).currency is None
    except ValueError:
        return False
