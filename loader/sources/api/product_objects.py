"""Reads products from the objects of a JSON file. The objects may have the form of a platform's API, and an object may
have variants."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

from db.errors import LoaderError
from loader.rejects import Reject
from loader.sources.api.linked_objects import LinkedObjects
from loader.sources.api.magento import Magento
from loader.sources.api.magento_graphql import MagentoGraphql
from loader.sources.api.medusa import Medusa
from loader.sources.api.platform import ApiPlatform
from loader.sources.api.shopify import ShopifyBulk
from loader.sources.api.stripe import Stripe
from loader.sources.api.woocommerce import WooCommerce
from loader.sources.api.woocommerce_store import WooCommerceStore
from loader.sources.reading.columns import FieldColumns
from loader.sources.reading.keyed import names_of
from loader.sources.reading.variants import NestedVariants

FIRST_OBJECTS = 100  # the columns are all names in the first 100 objects, because an object may omit its empty fields
PLATFORMS: tuple[ApiPlatform, ...] = (
    ShopifyBulk(), Magento(), MagentoGraphql(), WooCommerceStore(), WooCommerce(), Medusa(), Stripe(),
)  # fmt: skip
Found = tuple[int, Any] | Reject  # the line and value of an object, or the reason why the object cannot be read


def platform_of(records: Iterable[Mapping[str, Any]], mapping: FieldColumns) -> ApiPlatform | None:
    """Returns the platform that wrote the objects, or None if no platform recognises them. Returns None if there is a
    mapping, because a mapping (`--map`) uses the names in the file, and translation would change these names."""
    if mapping:
        return None
    return next((each for record in records for each in PLATFORMS if each.recognises(record)), None)


class ProductObjects:
    """The products of a file. Each call of `read` yields the objects of the file from its start."""

    def __init__(self, read: Callable[[], Iterator[Found]], mapping: FieldColumns) -> None:
        self._read: Callable[[], Iterator[Found]] = read
        platform = platform_of(islice(self._objects(read), FIRST_OBJECTS), mapping)
        translated: Callable[[dict[str, Any]], dict[str, Any]] | None = None
        if platform and platform.is_linked:
            self._read = LinkedObjects(read, platform).__iter__  # LinkedObjects translates the objects
        elif platform:
            translated = platform.translated
        first = islice(self._objects(self._read), FIRST_OBJECTS)
        variants = NestedVariants(names_of(map(translated, first) if translated else first), mapping)
        # Returns the products of an object, with usual names.
        self.split: Callable[[dict[str, Any]], Sequence[Mapping[str, Any]]] = (
            (lambda record: variants.split(translated(record))) if translated else variants.split
        )

    def names(self) -> list[str]:
        """Returns all names in the first products."""
        with closing(self.records()) as records:
            return names_of(islice(records, FIRST_OBJECTS))

    def records(self) -> Generator[Mapping[str, Any]]:
        """Yields the products, and skips faulty objects. Stops without an error where the file cannot be read, because
        the load itself reports that error."""
        for record in self._objects(self._read):
            yield from self.split(record)

    def found(self) -> Iterator[Found]:
        """Yields the objects of the file, and a Reject for each object that cannot be read."""
        return self._read()

    @staticmethod
    def _objects(read: Callable[[], Iterator[Found]]) -> Generator[dict[str, Any]]:
        try:
            for found in read():
                if not isinstance(found, Reject) and isinstance(found[1], dict):
                    yield found[1]
        except LoaderError:
            return
