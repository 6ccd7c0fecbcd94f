"""If an optional field has a faulty value, the product is loaded without the value or with a corrected value, and a
warning is given. In strict mode, the row is rejected. Some values may be written in several ways."""

import json
from pathlib import Path

import pytest

from db.catalog import values
from db.engine import Database
from tests.support.loading import load_catalog, stored

CASES = [
    ("price", {"price": "soon"}, 'price "soon" is not a number'),
    ("price", {"price": "1.290"}, "could be two numbers"),
    ("price", {"price": "5 EUR", "currency": "USD"}, "price is in EUR, currency is USD"),
    ("price", {"price": {"amount": None}}, "price is an object without"),
    ("price", {"price": "from 12.90"}, 'price "from 12.90" is stored as 12.90, the lowest price'),
    ("product_type", {"category": [23]}, "product_type 23 is the ID of a category"),
    ("price", {"price": "12.345 KWD"}, "is rounded to 12.34"),
    ("currency", {"currency": "coins"}, "is not a code of three letters"),
    ("availability", {"availability": "auf Anfrage"}, 'availability "auf Anfrage" is none of'),
    ("brand", {"brand": ["Acme", "Ajax"]}, "brand has 2 values"),
    ("description", {"description": "x" * 100_001}, "description is 100,001 characters long"),
    ("color", {"color": "a\0b"}, "color has a NUL character"),
    ("attributes", {"glaze": "a\0b"}, "attribute has a NUL character"),
    ("attributes", {"glaze": json.loads("[" * 30 + "]" * 30)}, "attribute glaze is nested deeper than 20 levels"),
    ("link", {"link": "javascript:alert(1)"}, "begins with neither https:// nor http://"),
    ("gtin", {"gtin": "4006381333932"}, "has a wrong check digit"),
    ("gtin", {"gtin": "12345"}, "does not have 8, 12, 13 or 14 digits"),
    ("gtin", {"gtin": "4.00638E+12"}, "is a number that a spreadsheet has shortened"),
    ("image", {"image": "data:image/png;base64,iVBORw0KGgo="}, 'begins with "data:"'),
    ("image", {"image": ["..\\a.jpg", "b.jpg"]}, "leaves the image root"),
    ("image", {"image": "/etc/passwd"}, "is absolute"),
    ("image", {"image": [f"{n}.jpg" for n in range(101)]}, "101 images; a product has at most 100"),
    ("image", {"image": 17}, "an image must be a path or an address"),
]


@pytest.mark.parametrize(("field", "values", "reason"), CASES)
def test_a_faulty_value_gives_a_warning_and_the_product_is_loaded(
    field: str, values: dict[str, object], reason: str, emptied_database: Database, tmp_path: Path
):
    path = tmp_path / "goods.jsonl"
    path.write_text(json.dumps({"sku": "1", "title": "Good", "weight": 3, **values}) + "\n")
    summary = load_catalog(emptied_database, path)
    assert (summary.inserted, summary.rejected) == (1, 0)
    assert list(summary.warnings) == [field]
    warning = summary.warnings[field]
    assert (warning.line, warning.count) == (1, 1)
    assert reason in warning.reason
    product = stored(emptied_database)["1"]
    assert product["attributes"] == {"weight": 3}


def test_a_faulty_price_rejects_its_row_in_strict_mode(emptied_database: Database, tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,price\n1,Good,soon\n2,Better,5\n")
    summary = load_catalog(emptied_database, path, strict=True)
    assert (summary.inserted, summary.rejected, summary.warnings) == (1, 1, {})


def test_the_good_images_of_a_product_with_a_faulty_image_are_kept(emptied_database: Database, tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,image\n1,Good,file:///a.jpg|b.jpg|../c.jpg\n")
    assert load_catalog(emptied_database, path).warnings["image"].count == 2
    assert stored(emptied_database)["1"]["images"] == ["b.jpg"]


def test_a_json_ld_product_with_a_faulty_price_is_loaded_without_the_price(emptied_database: Database, tmp_path: Path):
    path = tmp_path / "goods.jsonl"
    path.write_text('{"@type": "Product", "sku": 2, "name": "A", "brand": ["a", "b"], "offers": {"price": "soon"}}\n')
    summary = load_catalog(emptied_database, path)
    assert summary.inserted == 1
    assert set(summary.warnings) == {"brand", "price"}
    assert "price" not in stored(emptied_database)["2"]


@pytest.mark.parametrize("word", ["onbackorder", "on backorder", "Available for order"])
def test_several_spellings_mean_back_order(word: str):
    assert values.availability(word) == "backorder"


@pytest.mark.parametrize("word", ["1", "yes", "true", "TRUE", "low stock", "In-Stock", "http://schema.org/InStoreOnly"])
def test_several_spellings_mean_in_stock(word: str):
    assert values.availability(word) == "in_stock"


@pytest.mark.parametrize("word", ["0", "no", "false", "out stock", "Out of stock", "SOLD_OUT"])
def test_several_spellings_mean_out_of_stock(word: str):
    assert values.availability(word) == "out_of_stock"


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("4006381333931", "4006381333931"),
        ("978-3-16-148410-0", "9783161484100"),
        ("0-8044-2957-X", "080442957X"),
        ("'0614141999996", "0614141999996"),
        ("96385074", "96385074"),
        ("4006381333931.0", "4006381333931"),
    ],
)
def test_a_gtin_is_read_without_hyphens_and_quotes_and_decimals(written: str, code: str):
    assert values.gtin(written) == code


def test_the_error_of_a_formula_is_no_value(emptied_database: Database, tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,price,image,stock,note\n1,Bag,#WERT!,#N/A,#REF!,#NV\n2,#NAME?,9,,,\n3,Hat,9,,,# 5\n")
    summary = load_catalog(emptied_database, path)
    assert stored(emptied_database)["1"] == {"sku": "1", "title": "Bag"}
    assert stored(emptied_database)["3"]["attributes"] == {"note": "# 5"}
    assert sorted(summary.warnings) == ["attributes", "image", "price", "quantity"]
    assert summary.first_reject is not None
    assert summary.first_reject.reason.startswith('title "#NAME?" is the error of a formula in a spreadsheet')


def test_a_shortened_number_as_sku_gives_a_warning(emptied_database: Database, tmp_path: Path):
    (tmp_path / "goods.csv").write_text('sku;title\n"1,23E+15";Bag\n1E+10;Hat\n')
    summary = load_catalog(emptied_database, tmp_path / "goods.csv")
    assert summary.warnings["sku"].count == 1
    assert summary.warnings["sku"].reason.startswith('sku "1,23E+15" is a number that a spreadsheet has shortened')
