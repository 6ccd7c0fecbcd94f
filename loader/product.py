"""A raw row becomes a `Product` that the database takes, or a `Reject` that names all its faults."""

from dataclasses import dataclass

from db.catalog.image_paths import ImageRoot
from db.catalog.product import Product
from db.catalog.validation import Written, check
from loader.rows import RawRow, Reject


@dataclass(frozen=True, slots=True)
class Valid:
    line: int
    product: Product
    missing_files: int  # pictures that are not on this disk
    dropped_hash: bool


def to_product(row: RawRow, root: ImageRoot) -> Valid | Reject:
    found = check(Written(row.fields, row.attributes, row.images, row.image_phash), root)
    if isinstance(found, list):
        return Reject(row.line, row.fields.get("sku", ""), "; ".join(found))
    return Valid(row.line, found.product, found.missing_files, found.dropped_hash)
