"""The schema.org products of a JSON-LD document, of a list and of JSON lines are loaded with the expected values."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from db.catalog.product import RawProduct
from db.engine import Database
from loader.sources import open_source
from tests.support.loading import load_catalog, stored

FIXTURES = Path(__file__).parents[1] / "fixtures"


ANVIL = {
    "sku": "0446310786",
    "title": "Executive anvil",
    "description": "Sleeker than ACME's Classic Anvil.",
    "brand": "ACME",
    "product_type": "Tools",
    "price": Decimal("119.99"),
    "currency": "USD",
    "availability": "in_stock",
    "gtin": "0614141999996",
    "mpn": "925872",
    "link": "https://shop.example/p/1",
    "image_link": "https://img.example/anvil.jpg",
    "color": "Silver",
    "condition": "used",
    "attributes": {
        "product_types": ["Tools", "Gifts"],
        "keywords": ["heavy", "silver"],
        "Weight": "20 kg",
        "Forged": True,
    },
    "rating": Decimal("4.40"),
    "review_count": 89,
    "images": ["https://img.example/anvil.jpg", "https://img.example/anvil-side.jpg"],
}


def as_document(path: Path, tmp_path: Path) -> Path:
    return path


def as_one_line(path: Path, tmp_path: Path) -> Path:
    (tmp_path / "line.json").write_text(json.dumps(json.loads(path.read_text())))
    return tmp_path / "line.json"


def as_a_list(path: Path, tmp_path: Path) -> Path:
    (tmp_path / "list.json").write_text(json.dumps(json.loads(path.read_text())["@graph"], indent=1))
    return tmp_path / "list.json"


def as_lines(path: Path, tmp_path: Path) -> Path:
    """Writes each member of @graph on a line of its own, as a crawler writes pages. Leaves out the first member, which
    is no product."""
    pages = json.loads(path.read_text())["@graph"]
    (tmp_path / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages[1:]))
    return tmp_path / "pages.jsonl"


@pytest.mark.parametrize(
    ("product", "sku"),
    [
        ({"gtin13": "4006381333931", "url": "https://shop.example/p/chair"}, "4006381333931"),
        ({"url": "https://shop.example/p/chair/"}, "p/chair"),
        ({"url": "https://shop.example/index.php?id=7#top"}, "index.php?id=7"),
        ({"@id": "https://shop.example/p/lamp#product"}, "p/lamp"),
        ({"@id": "#product-3"}, "product-3"),
        ({"offers": {"@type": "Offer", "sku": "O-1", "price": 3}, "gtin13": "4006381333931"}, "O-1"),
        ({"offers": {"@type": "Offer", "url": "https://shop.example/p/cup", "price": 3}}, "p/cup"),
    ],
)
def test_a_product_without_a_sku_is_named_by_its_offer_or_its_gtin_or_its_address(
    product: dict[str, object], sku: str, tmp_path: Path
):
    path = tmp_path / "goods.jsonl"
    path.write_text(json.dumps({"@type": "Product", "name": "Thing", **product}) + "\n")
    [row] = open_source(path).rows()
    assert isinstance(row, RawProduct) and row.fields["sku"] == sku


def test_an_offer_with_more_than_a_price_becomes_an_attribute(tmp_path: Path):
    offer = {"@type": "Offer", "price": 3, "priceValidUntil": "2027-01-01", "seller": {"name": "Acme"}}
    path = tmp_path / "goods.jsonl"
    path.write_text(json.dumps({"@type": "Product", "sku": "1", "name": "Thing", "offers": offer}) + "\n")
    [row] = open_source(path).rows()
    assert isinstance(row, RawProduct) and row.attributes == {"offers": offer}


@pytest.mark.parametrize("spelled", [as_document, as_one_line, as_a_list, as_lines])
def test_schema_org_products_are_found_in_json_ld_documents_and_lists_and_lines(
    spelled: Callable[[Path, Path], Path], emptied_database: Database, tmp_path: Path
):
    summary = load_catalog(emptied_database, spelled(FIXTURES / "product.jsonld", tmp_path))
    assert (summary.source, summary.read, summary.inserted, summary.rejected) == ("jsonld", 5, 4, 1)
    assert summary.first_reject is not None and summary.first_reject.reason == "sku is empty"
    found = stored(emptied_database)
    assert found.pop("0446310786") == ANVIL
    assert found["C-2"]["title"] == "Cart"
    assert (found["C-2"]["price"], found["C-2"]["images"]) == (Decimal("950.00"), ["https://img.example/cart.jpg"])
    assert found["C-2"]["attributes"]["offers"]["highPrice"] == "1200.00"
    small, large = found["44E01-S"], found["44E01-L"]
    assert (small["title"], large["title"]) == ("Wool coat", "Wool coat, large")
    for coat in (small, large):
        assert (coat["brand"], coat["material"], coat["item_group_id"]) == ("Good brand", "wool", "44E01")
    assert (small["size"], large["size"]) == ("small", "large")
    assert (small["availability"], small["price"]) == ("out_of_stock", Decimal("39.99"))
    # A product with several offers gets the lowest price in the currency of the first offer, and the best
    # availability of any offer. The attribute `offers` keeps every offer.
    assert (large["availability"], large["price"], large["currency"]) == ("preorder", Decimal("45.00"), "USD")
    assert len(large["attributes"]["offers"]) == 3


def product(document: dict[str, object], path: Path) -> RawProduct:
    path.write_text(json.dumps({"@type": "Product", "sku": "1", "name": "A", **document}))
    [row] = open_source(path).rows()
    assert isinstance(row, RawProduct)
    return row


@pytest.mark.parametrize(
    "other",
    [
        {"priceType": "https://schema.org/StrikethroughPrice"},
        {"referenceQuantity": {"@type": "QuantitativeValue", "value": 100, "unitCode": "MLT"}},
        {"validForMemberTier": {"@id": "#gold"}},
    ],
)
def test_a_price_for_everybody_is_preferred_to_a_price_with_a_condition(other: dict[str, object], tmp_path: Path):
    prices = [{"price": 59, "priceCurrency": "USD", **other}, {"price": 49, "priceCurrency": "EUR"}]
    row = product({"offers": {"@type": "Offer", "priceSpecification": prices}}, tmp_path / "a.jsonld")
    assert (row.fields["price"], row.fields["currency"]) == ("49", "EUR")
    row = product({"offers": {"@type": "Offer", "priceSpecification": prices[:1]}}, tmp_path / "b.jsonld")
    assert row.fields["price"] == "59"


def test_a_faulty_image_is_dropped_and_the_other_images_are_kept(tmp_path: Path):
    images = ["https://img.example/1.jpg", {"@type": "ImageObject", "caption": "x"}, 5, {"url": "//img.example/2.jpg"}]
    row = product({"image": images}, tmp_path / "a.jsonld")
    assert list(row.images) == ["https://img.example/1.jpg", "https://img.example/2.jpg"]
    assert list(row.faults) == [
        ("image", "an image is an object without an address"),
        ("image", "an image must be a path or an address, not a number"),
    ]


def test_a_property_with_only_an_id_and_a_property_with_a_range_are_kept(tmp_path: Path):
    properties = [{"propertyID": "care", "value": "Wash"}, {"name": "Width", "minValue": 1, "maxValue": 3}]
    row = product({"additionalProperty": properties}, tmp_path / "a.jsonld")
    assert row.attributes == {"care": "Wash", "additionalProperty": [properties[1]]}
