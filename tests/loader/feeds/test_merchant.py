"""Each Google Merchant feed gives the expected products. The feeds were written by hand from Google's public list of
fields."""

import gzip
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from db.engine import Database
from tests.support.loading import load_catalog, stored

FIXTURES = Path(__file__).parents[1] / "fixtures"


BACKPACK = {
    "sku": "B-1022",
    "title": "Black leather backpack, 20 l",
    "description": 'A 13" laptop fits. Water & wear & tear: no problem.',
    "brand": "Urbano",
    "product_type": "Bags > Backpacks",
    "price": Decimal("89.90"),
    "currency": "EUR",
    "availability": "in_stock",
    "gtin": "4006381333931",
    "mpn": "UB-20-BLK",
    "item_group_id": "B-10",
    "link": "https://shop.example/b-1022?size=m,l",
    "image_link": "https://img.example/b-1022/front.jpg",
    "color": "black/brown",
    "size": "M",
    "material": "leather/cotton",
    "condition": "new",
    "sale_price": Decimal("69.90"),
    "attributes": {
        "google_product_category": "Apparel & Accessories > Handbags, Wallets & Cases > Handbags",
        "gender": "unisex",
        "custom_label_0": "winter",
    },
    "images": [
        "https://img.example/b-1022/front.jpg",
        "https://img.example/b-1022/back.jpg",
        "https://img.example/b-1022/open.jpg?w=800,h=800",
    ],
}


FEED = {
    "B-1022": BACKPACK,
    "B-1023": {
        "sku": "B-1023",
        "title": "Sac à dos en cuir noir",
        "brand": "Urbano",
        "price": Decimal("1299.00"),
        "currency": "EUR",
        "availability": "out_of_stock",
        "link": "https://shop.example/b-1023",
        "image_link": "https://img.example/b-1023.jpg",
        "condition": "used",
        "attributes": {"identifier_exists": "no"},
        "images": ["https://img.example/b-1023.jpg"],
    },
    "B-1024": {
        "sku": "B-1024",
        "title": "Zelt für vier Personen 🏕️",
        "price": Decimal("249.00"),
        "currency": "EUR",
        "availability": "preorder",
        "link": "https://shop.example/b-1024",
        "image_link": "https://img.example/b-1024.jpg",
        "attributes": {"availability_date": "2026-12-24T13:00-0800"},
        "images": ["https://img.example/b-1024.jpg"],
    },
    "B-1025": {
        "sku": "B-1025",
        "title": "Sleeping bag",
        "price": Decimal("59.50"),
        "currency": "EUR",
        "availability": "backorder",
        "link": "https://shop.example/b-1025",
        "image_link": "https://img.example/b-1025.jpg",
        "images": ["https://img.example/b-1025.jpg"],
    },
}


@pytest.mark.parametrize("name", ["merchant.tsv", "merchant.xml", "merchant_atom.xml", "merchant.jsonl"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_merchant_feed_gives_the_same_products_in_every_format(
    name: str, packed: bool, emptied_database: Database, tmp_path: Path
):
    path = shutil.copy(FIXTURES / name, tmp_path)
    if packed:
        path = tmp_path / f"{name}.gz"
        path.write_bytes(gzip.compress((FIXTURES / name).read_bytes()))
    summary = load_catalog(emptied_database, Path(path))
    assert (summary.source, summary.read, summary.inserted, summary.rejected) == ("merchant", 4, 4, 0)
    found = stored(emptied_database)
    for sku in FEED:
        for name in ("link_self", "feed_id"):  # only the Atom feed gives these attributes
            found[sku].get("attributes", {}).pop(name, None)
        if not found[sku].get("attributes", True):
            del found[sku]["attributes"]
    assert found == FEED


def test_repeated_and_nested_and_custom_elements_of_merchant_xml_are_loaded(emptied_database: Database, tmp_path: Path):
    summary = load_catalog(emptied_database, FIXTURES / "merchant_odd.xml")
    assert (summary.read, summary.inserted, summary.rejected) == (3, 2, 1)
    assert stored(emptied_database) == {
        "M-1": {
            "sku": "M-1",
            "title": "Red mug",
            "description": "Café mug",
            "image_link": "https://img.example/m-1.jpg",
            "attributes": {"guid": "abc", "feed_title": ["In the page", "Of the picture"]},
            "images": ["https://img.example/m-1.jpg"],
        },
        "M-2": {
            "sku": "M-2",
            "title": "Blue mug",
            "product_type": "Kitchen > Mugs",
            "image_link": "https://img.example/m-2.jpg",
            "attributes": {
                "product_types": ["Kitchen > Mugs", "Gifts"],
                "shipping": [{"country": "DE", "price": "4.90 EUR"}, {"country": "AT", "price": "9.90 EUR"}],
                "product_detail": {
                    "section_name": "General",
                    "attribute_name": "Volume",
                    "attribute_value": "0.3 l",
                },
                "product_highlight": ["Dishwasher safe", "Two colours"],
                "glaze": "matt",
            },
            "images": ["https://img.example/m-2.jpg", "https://img.example/m-2b.jpg"],
        },
    }
    assert (tmp_path / "merchant_odd.rejects.csv").read_text().splitlines()[1:] == [
        "31,,sku has 2 values; it takes one"
    ]


def test_irregular_json_lines_are_loaded_or_rejected_with_line_number_and_reason(
    emptied_database: Database, tmp_path: Path
):
    summary = load_catalog(emptied_database, FIXTURES / "merchant_odd.jsonl", strict=True)
    assert (summary.source, summary.read, summary.inserted, summary.rejected) == ("jsonl", 10, 2, 8)
    assert stored(emptied_database) == {
        "O-1": {
            "sku": "O-1",
            "title": "Camel case",
            "product_type": "Mugs",
            "price": Decimal("19.99"),
            "currency": "EUR",
            "gtin": "4006381333931",
            "image_link": "https://img.example/1.jpg",
            "size": "S/M",
            "attributes": {"product_types": ["Mugs", "Gifts"]},
            "images": ["https://img.example/1.jpg", "https://img.example/1b.jpg"],
        },
        "17": {
            "sku": "17",
            "title": "A number for an id",
            "brand": "Acme",
            "price": Decimal("12.50"),
            "currency": "EUR",
            "color": "red/blue",
            "image_link": "https://img.example/2.jpg",
            "attributes": {
                "is_bundle": True,
                "shipping": [{"country": "DE", "price": "4.90 EUR"}],
            },
            "rating": Decimal("4.50"),
            "images": ["https://img.example/2.jpg", "https://img.example/3.jpg"],
        },
    }
    assert (tmp_path / "merchant_odd.rejects.csv").read_text().splitlines()[1:] == [
        "4,O-3,brand has 2 values; it takes one",
        '5,O-4,"price is an object without ""value"" and ""currency"""',
        '6,,"""title"" is given twice"',
        "7,O-6,title is not UTF-8",
        "8,O-7,title has a NUL character",
        "9,,1e999 is not a number that can be stored",
        '10,,"the line is JSON, but not an object {...}"',
        "11,,not JSON: Unterminated string starting at position 25",
    ]
