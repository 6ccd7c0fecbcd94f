"""Reads and loads the sample catalog of 1,242 drawings, with which people can try Windowshop without a catalog of their
own.

Titles, keywords and images come from the sources that README.md beside this file names; the departments were assigned
for this sample. The drawings are not for sale, so this module makes up a price in US dollars and an availability. Both
are derived from the SKU, and the department sets the range of the price. The attribute `made_up` of each product lists
the made-up fields.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from db.catalog.product import RawProduct
from db.engine import Database
from loader.chunks import Progress
from loader.ingest import LoadOptions, ingest
from loader.rejects import Reject
from loader.sources import Format, open_source
from loader.sources.wrapping import WrappedSource
from loader.summary import LoadSummary

FOLDER = Path(__file__).parent
IMAGES = FOLDER / "images"
CATALOG = "sample"  # the catalog of `windowshop demo`
MADE_UP = ["price", "currency", "availability"]

# The range of the made-up prices in each department, in US dollars. Each price is then rounded to end in .99.
PRICES = {
    "Arts & stationery": (2, 60),
    "Clothing & accessories": (8, 150),
    "Electronics": (15, 900),
    "Food & grocery": (1, 25),
    "Health": (3, 80),
    "Home": (10, 600),
    "Kitchen & dining": (3, 90),
    "Musical instruments": (12, 1_500),
    "Plants & flowers": (4, 70),
    "Seasonal & party": (2, 45),
    "Sports & outdoors": (6, 250),
    "Tools & garden": (4, 180),
    "Toys & hobbies": (3, 80),
    "Vehicles & toys on wheels": (10, 400),
}
ANY_PRICE = (2, 200)
AVAILABILITIES = (
    ("in_stock", 0.86),
    ("out_of_stock", 0.94),
    ("preorder", 0.97),
    ("backorder", 1.0),
)  # each availability, with the cumulative share of the products up to and including this availability


class SampleSource(WrappedSource):
    """Reads the rows of products.csv, and adds a made-up price and availability that are the same in every run."""

    def __init__(self) -> None:
        super().__init__(open_source(FOLDER / "products.csv", kind=Format.DELIMITED))
        self.name = "sample"

    def rows(self) -> Iterator[RawProduct | Reject]:
        for row in self._source.rows():
            yield row if isinstance(row, Reject) else with_made_up_offer(row)


def load_sample(
    database: Database, *, catalog: str = "main", on_progress: Progress = lambda done, total: None
) -> LoadSummary:
    return ingest(database, SampleSource(), LoadOptions(catalog), on_progress=on_progress)


def with_made_up_offer(row: RawProduct) -> RawProduct:
    chance = (_chance(row.fields["sku"], "price"), _chance(row.fields["sku"], "availability"))
    low, high = PRICES.get(row.fields.get("product_type", ""), ANY_PRICE)
    # The prices are spread evenly on a logarithmic scale, because most real prices are low.
    price = math.floor(low * (high / low) ** chance[0]) + 0.99
    availability = next(word for word, up_to in AVAILABILITIES if chance[1] <= up_to)
    offer = {"price": f"{price:.2f}", "currency": "USD", "availability": availability}
    return replace(row, fields={**row.fields, **offer}, attributes={**row.attributes, "made_up": MADE_UP})


def _chance(sku: str, what: str) -> float:
    """Returns a number in [0, 1) that depends only on the arguments. Python's hash() would differ from run to run."""
    digest = hashlib.sha256(f"{what} of {sku}".encode()).digest()
    return int.from_bytes(digest[:6]) / (1 << 48)
