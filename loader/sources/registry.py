"""Lists, for each format of a catalog file, the function that recognises such a file and the source that reads it.

The constructor of a source raises a LoaderError if the file cannot be read, has the wrong format or lacks a needed
column. The method `rows()` of a source streams the rows, and yields a `Reject` in place of a faulty row.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from db.catalog.product import RawProduct
from loader.formats import Format
from loader.rejects import Reject
from loader.sources import delimited, json_document, jsonl, jsonld, merchant, parquet, shopee
from loader.sources.platforms import bigcommerce, etsy, magento, medusa, meta, prestashop, shopify, woocommerce
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.platform_table import PlatformTable


class CatalogSource(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def path(self) -> Path: ...

    @property
    def image_root(self) -> Path:
        """The absolute path of the folder at which relative image paths start."""

    @property
    def size(self) -> int | None:
        """The value that `done` will have at the end, for a progress bar. None if that value is not known."""

    @property
    def done(self) -> int:
        """The number of bytes that have been read. For a folder, this is the number of images. For Parquet, it is
        estimated from the number of rows."""

    @property
    def columns(self) -> Mapping[str, str]:
        """Maps the name of each column that is read to the field that it sets. If the values become attributes, this
        field is `attributes.<name>`."""

    def rows(self) -> Iterator[RawProduct | Reject]:
        """Yields the rows. Call this only once. Memory stays bounded for files of any size. Raises SourceUnreadable if
        the disk fails, and SourceDamaged if the rest of the file cannot be read."""


@dataclass(frozen=True)
class FileFormat:
    recognises: Callable[[FileHead], bool]
    source: Callable[..., CatalogSource]  # called with (file, image_root=...), and mapping=... if accepted
    fixed_columns: str = ""  # the error message if a `mapping` is given; "" if the format accepts a mapping
    suffixes: tuple[str, ...] = ()  # a file with such a suffix counts as a table when a folder is loaded


def _of_platform(recognises: Callable[[FileHead], bool], source: type[PlatformTable]) -> FileFormat:
    return FileFormat(recognises, source, f'{source.platform} has fixed columns; use --format delimited with "--map"')


# The formats in the order in which they are tried. The last format recognises every file that is not JSON.
FILE_FORMATS: dict[Format, FileFormat] = {
    Format.PARQUET: FileFormat(parquet.recognises, parquet.ParquetSource, suffixes=(".parquet",)),
    Format.JSONLD: FileFormat(jsonld.recognises, jsonld.JsonLdSource, "schema.org's names are fixed"),
    Format.SHOPEE: FileFormat(
        shopee.recognises,
        shopee.ShopeeSource,
        'the Shopee layout has fixed columns; use --format delimited with "--map"',
    ),
    Format.SHOPIFY: _of_platform(shopify.recognises, shopify.ShopifySource),
    Format.WOOCOMMERCE: _of_platform(woocommerce.recognises, woocommerce.WooCommerceSource),
    Format.MAGENTO: _of_platform(magento.recognises, magento.MagentoSource),
    Format.MEDUSA: _of_platform(medusa.recognises, medusa.MedusaSource),
    Format.BIGCOMMERCE: _of_platform(bigcommerce.recognises, bigcommerce.BigCommerceSource),
    Format.ETSY: _of_platform(etsy.recognises, etsy.EtsySource),
    Format.META: _of_platform(meta.recognises, meta.MetaSource),
    Format.PRESTASHOP: _of_platform(prestashop.recognises, prestashop.PrestaShopSource),
    Format.MERCHANT: FileFormat(merchant.recognises, merchant.merchant_source),
    Format.JSON: FileFormat(json_document.recognises, json_document.JsonDocumentSource),
    Format.JSONL: FileFormat(jsonl.recognises, jsonl.JsonLinesSource, suffixes=(".jsonl", ".ndjson")),
    Format.DELIMITED: FileFormat(delimited.recognises, delimited.DelimitedSource, suffixes=(".csv", ".tsv")),
}
TABLE_SUFFIXES = frozenset(suffix for each in FILE_FORMATS.values() for suffix in each.suffixes)


def recognise(head: FileHead) -> Format:
    """Returns the first format that recognises a file. Raises NotACatalog or NothingToLoad if the file is neither JSON,
    XML nor Parquet, and has no header of a text table."""
    return next(name for name, each in FILE_FORMATS.items() if each.recognises(head))
