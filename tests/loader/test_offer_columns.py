"""Sales, compare-at prices, stock, ratings and dates of publication of a feed are stored in columns of their own."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from db.catalog.image_paths import ImageRoot
from db.catalog.product import ValidatedProduct
from db.catalog.validation import validate
from db.engine import Database
from loader.rejects import Reject
from loader.sources import open_source
from tests.support.loading import load_catalog, stored

START, END = datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
SALE = {"sale_price": Decimal("69.90"), "sale_starts_at": START, "sale_ends_at": END}
WOOCOMMERCE = (
    "ID,Type,SKU,Name,Published,In stock?,Stock,Sale price,Regular price,Date sale price starts,Date sale price ends\n"
    "1,simple,A,Lamp,1,1,7,69.90,89.90,2026-11-20 00:00:00,2026-11-30 23:59:59\n"
)
MAGENTO = (
    "sku,attribute_set_code,name,price,special_price,special_price_from_date,special_price_to_date,msrp_price,qty\n"
    'A,Default,Lamp,89.90,69.90,2026-11-20 00:00:00,"11/30/26, 12:00 AM",99.00,7.0000\n'
)
META = (
    "id,title,price,sale_price,sale_price_effective_date,quantity_to_sell_on_facebook\n"
    "A,Lamp,89.90 EUR,69.90 EUR,2026-11-20T00:00+00:00/2026-11-30T23:59:59+00:00,7\n"
)
SHOPIFY = (
    "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Qty,Variant Price,Variant Compare At Price,"
    "Image Src\nlamp,Lamp,Title,Default Title,A,7,89.90,99.00,\n"
)
BIGCOMMERCE = (
    "Item Type,Product ID,Product Name,Product Code/SKU,Price,Retail Price,Sale Price,Current Stock Level\n"
    "Product,1,Lamp,A,89.90,99.00,69.90,7\n"
)
MERCHANT = (
    "id\ttitle\tlink\timage_link\tprice\tsale price\tsale price effective date\tsell on google quantity\n"
    "A\tLamp\t\t\t89.90 EUR\t69.90 EUR\t2026-11-20T01:00+0100/2026-11-30T15:59:59-0800\t7\n"
)
SCHEMA_ORG = json.dumps(
    {
        "@type": "Product",
        "sku": "A",
        "name": "Lamp",
        "datePublished": "2026-11-20",
        "aggregateRating": {"@type": "AggregateRating", "ratingValue": 9, "bestRating": 10, "reviewCount": "31"},
        "offers": {
            "@type": "Offer",
            "priceCurrency": "EUR",
            "inventoryLevel": {"@type": "QuantitativeValue", "value": 7},
            "priceSpecification": [
                {"priceType": "https://schema.org/ListPrice", "price": 99.0, "priceCurrency": "EUR"},
                {"price": 89.9, "priceCurrency": "EUR"},
            ],
        },
    }
)
RATED = {"rating": Decimal("4.5"), "review_count": 31, "published_at": START}


def loaded(text: str, name: str, folder: Path) -> ValidatedProduct:
    (folder / name).write_text(text)
    [row] = open_source(folder / name).rows()
    assert not isinstance(row, Reject)
    found = validate(row, ImageRoot(folder), strict=False)
    assert isinstance(found, ValidatedProduct)
    return found


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (WOOCOMMERCE, "woocommerce.csv", {**SALE, "quantity": 7}),
        (MAGENTO, "magento.csv", {**SALE, "compare_at_price": Decimal("99.00"), "quantity": 7}),
        (META, "meta.csv", {**SALE, "quantity": 7}),
        (SHOPIFY, "shopify.csv", {"compare_at_price": Decimal("99.00"), "quantity": 7}),
        (
            BIGCOMMERCE,
            "bigcommerce.csv",
            {"sale_price": Decimal("69.90"), "compare_at_price": Decimal("99.00"), "quantity": 7},
        ),
        (MERCHANT, "merchant.tsv", {**SALE, "quantity": 7}),
        (SCHEMA_ORG, "product.json", {**RATED, "compare_at_price": Decimal("99.0"), "quantity": 7}),
    ],
)
def test_each_export_fills_the_columns_of_an_offer(text: str, name: str, expected: dict[str, Any], tmp_path: Path):
    found = loaded(text, name, tmp_path)
    assert found.warnings == ()
    assert {column: getattr(found.product, column) for column in expected} == expected
    assert found.product.price == Decimal("89.90")
    assert not {"sale_price", "stock", "qty", "aggregateRating"} & found.product.attributes.keys()


def test_the_columns_of_a_plain_table_are_recognised_and_stored(emptied_database: Database, tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text(
        "sku,title,regular_price,salePrice,list price,stock,average_rating,rating_count,published_at,sale_dates\n"
        "1,A,20.00,15.00,25.00,3,4.5,12,2026-11-20,2026-11-20/2026-11-30\n2,B,,,,,,,,\n"
    )
    summary = load_catalog(emptied_database, path)
    assert (summary.inserted, summary.warnings) == (2, {})
    assert list(summary.columns.values())[2:] == [
        "price", "sale_price", "compare_at_price", "quantity", "rating", "review_count", "published_at",
        "sale_starts_at, sale_ends_at",
    ]  # fmt: skip
    assert stored(emptied_database)["1"] == {
        "sku": "1",
        "title": "A",
        "price": Decimal("20.00"),
        "sale_price": Decimal("15.00"),
        "sale_starts_at": START,
        "sale_ends_at": END,
        "compare_at_price": Decimal("25.00"),
        "quantity": 3,
        "availability": "in_stock",
        "rating": Decimal("4.50"),
        "review_count": 12,
        "published_at": START,
    }
    assert load_catalog(emptied_database, path).unchanged == 2
    path.write_text("sku,title,price\n1,A,20.00\n")
    assert load_catalog(emptied_database, path).updated == 1
    assert stored(emptied_database)["1"] == {"sku": "1", "title": "A", "price": Decimal("20.00")}


CASES = [
    ("sale_price", {"sale_price": "soon"}, 'sale_price "soon" is not a number'),
    ("sale_price", {"sale_price": "5 USD"}, "sale_price is in USD, currency is EUR"),
    ("sale_price", {"sale_price": "0.00"}, "sale_price 0 is left out"),
    ("sale_price", {"sale_price": "1.290"}, 'sale_price "1.290" could be two numbers'),
    ("compare_at_price", {"compare_at_price": -1}, 'compare_at_price "-1" is negative'),
    ("sale_ends_at", {"sale_price": 5, "sale_ends_at": "4/1/26"}, "could be two dates"),
    ("sale_ends_at", {"sale_price": 5, "sale_starts_at": "2026-02-01", "sale_ends_at": "2026-01-01"}, "before it"),
    ("sale_dates", {"sale_price": 5, "sale_price_effective_date": "all of May"}, "is not a start and an end"),
    ("quantity", {"quantity": "500 g"}, 'quantity "500 g" is not a whole number'),
    ("quantity", {"quantity": "3000000000"}, "is over 2,147,483,647"),
    ("rating", {"rating": "87"}, 'rating "87" is not on the scale to 5'),
    ("review_count", {"review_count": "many"}, 'review_count "many" is not a whole number'),
    ("published_at", {"published_at": "2026-02-30"}, 'published_at "2026-02-30" is not a date'),
]


@pytest.mark.parametrize(("field", "values", "reason"), CASES)
def test_a_faulty_cell_is_dropped_with_a_warning_that_names_the_column(
    field: str, values: dict[str, Any], reason: str, tmp_path: Path
):
    row = {"sku": "1", "title": "Good", "price": 9, "currency": "EUR", **values}
    found = loaded(json.dumps(row) + "\n", "goods.jsonl", tmp_path)
    assert dict(found.warnings)[field].find(reason) >= 0
    assert found.product.price == 9
    # A faulty date of a sale also drops the sale price, because the sale could be over.
    assert found.product.sale_price is None


@pytest.mark.parametrize("names", ["sale_start,sale_end", "Sale From,Sale To", "sale price start,sale price end"])
def test_the_usual_names_of_the_dates_of_a_sale_are_recognised(names: str, tmp_path: Path):
    found = loaded(f"sku,title,sale_price,{names}\nA,Lamp,69.90,2026-11-20,2026-11-30\n", "goods.csv", tmp_path)
    assert {column: getattr(found.product, column) for column in SALE} == SALE


def test_an_object_in_a_column_becomes_an_attribute(tmp_path: Path):
    found = loaded('{"sku": "1", "title": "A", "rating": {"rate": 4.5, "count": 3}}\n', "goods.jsonl", tmp_path)
    assert (found.product.rating, found.warnings) == (None, ())
    assert found.product.attributes == {"rating": {"rate": 4.5, "count": 3}}


def test_the_other_prices_of_the_file_decide_an_ambiguous_sale_price(tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text('sku;title;price;sale_price\n1;A;"1.390,00";1.290\n')
    [row] = open_source(path).rows()
    assert not isinstance(row, Reject)
    found = validate(row, ImageRoot(tmp_path))
    assert isinstance(found, ValidatedProduct)
    assert (found.product.price, found.product.sale_price) == (Decimal(1390), Decimal(1290))


def of_row(row: dict[str, Any], folder: Path) -> ValidatedProduct:
    return loaded(json.dumps({"sku": "1", "title": "A", **row}) + "\n", "goods.jsonl", folder)


@pytest.mark.parametrize(
    ("row", "kept", "reason"),
    [
        ({"price": "$20.00", "sale_price": "€15.00"}, (Decimal(20), None, None, None), "the currency of another price"),
        ({"price": "$20.00", "sale_price": "15 kr"}, (Decimal(20), None, None, None), "the currency of another price"),
        ({"sale_price": "$15", "msrp": "€25"}, (None, Decimal(15), None, None), "the currency of another price"),
        ({"price": "€20", "sale_price": "$15"}, (Decimal(20), None, None, "EUR"), "is in $, currency is EUR"),
        ({"price": "$20", "sale_price": "15 USD"}, (Decimal(20), Decimal(15), None, "USD"), None),
        ({"price": "20", "sale_price": "15 €"}, (Decimal(20), Decimal(15), None, "EUR"), None),
        ({"price": "20 USD", "sale_price": 15, "currency": "EUR"}, (None, None, None, None), "the price is faulty"),
        ({"price": "1.290", "sale_price": 990, "msrp": 1500}, (None, None, None, None), "the price is faulty"),
        ({"price": {"amount": None}, "sale_price": 990}, (None, None, None, None), "the price is faulty"),
        ({"price": "", "sale_price": 990}, (None, Decimal(990), None, None), None),
    ],
)
def test_prices_that_contradict_each_other_are_not_stored_together(
    row: dict[str, Any], kept: tuple[Any, ...], reason: str | None, tmp_path: Path
):
    found = of_row(row, tmp_path)
    product = found.product
    assert (product.price, product.sale_price, product.compare_at_price, product.currency) == kept
    others = [text for name, text in found.warnings if name != "price"]
    assert all(reason and reason in text for text in others) and bool(others) == bool(reason)


def test_a_price_gets_the_currency_of_the_file_even_if_the_sale_price_has_another(tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,price,sale_price,currency\n1,A,$20.00,€15.00,\n2,B,9,,USD\n")
    found = validate(next(iter(open_source(path).rows())), ImageRoot(tmp_path), strict=False)  # type: ignore[arg-type]
    assert isinstance(found, ValidatedProduct)
    assert (found.product.price, found.product.currency, found.product.sale_price) == (Decimal(20), "USD", None)
    assert found.warnings == (("sale_price", "sale_price is in EUR, currency is USD"),)
