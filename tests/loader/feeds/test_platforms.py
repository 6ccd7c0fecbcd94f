"""Each export of a shop platform gives the expected products. The exports were written by hand. Their columns come from
the lists that the platforms publish."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from db.catalog.product import RawProduct
from loader.rejects import Reject
from loader.sources import open_source

FIXTURES = Path(__file__).parents[1] / "fixtures"
IMG = "https://img.example/"


@cache
def products(name: str) -> dict[str, dict[str, Any]]:
    """Returns the fields, attributes and images of each product by its SKU."""
    rows = [row for row in open_source(FIXTURES / name).rows() if isinstance(row, RawProduct)]
    found = {row.fields["sku"]: {**row.attributes, **row.fields, "images": list(row.images)} for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize(
    ("name", "source", "skus"),
    [
        ("woocommerce.csv", "woocommerce", ["hoodie-red", "32", "mug", "card", "secret", "lost", "ext"]),
        ("magento.csv", "magento", ["WH01-XS-Black", "WH01-S-Black", "MB01", "MB02"]),
        ("prestashop.csv", "prestashop", ["demo_1", "2", "demo_3", "demo_4", "demo_5"]),
        ("prestashop_list.csv", "prestashop", ["demo_7", "8"]),
        ("medusa.csv", "medusa", ["SW-S", "SW-M", "variant_3"]),
        ("medusa_2.csv", "medusa", ["CAP-1"]),
        ("bigcommerce.csv", "bigcommerce", ["CS-41-R", "CS-42-R", "102"]),
        ("bigcommerce_3.csv", "bigcommerce", ["TEE-S", "TEE-M"]),
        ("etsy.csv", "etsy", ["MUG-B", "ring-1", "ring-2", "bowl"]),
        ("meta.csv", "meta", ["m1", "m2"]),
        ("products.json", "json", ["j1", "j2"]),
    ],
)
def test_an_export_is_recognised_and_gives_a_product_for_each_variant(name: str, source: str, skus: list[str]):
    assert open_source(FIXTURES / name).name == source
    assert list(products(name)) == skus


EXPECTED: list[tuple[str, str, dict[str, Any]]] = [
    (
        "woocommerce.csv",
        "hoodie-red",
        {
            "title": "Hoodie - Red",
            "description": "Soft & warm",
            "short_description": "Warm",
            "brand": "Acme",
            "product_type": "Clothing > Hoodies",
            "product_types": ["Clothing > Hoodies", "Sale"],
            "price": "45",
            "gtin": "4006381333931",
            "item_group_id": "hoodie",
            "availability": "in_stock",
            "quantity": "3",
            "color": "Red",
            "material": "Cotton/Wool",
            "keywords": ["winter", "wool"],
            "weight_(kg)": "0.6",
            "images": [IMG + "hoodie-red.jpg", IMG + "hoodie.jpg", IMG + "hoodie-back.jpg"],
        },
    ),
    (
        "woocommerce.csv",
        "32",
        {
            "title": "Hoodie",
            "availability": "backorder",
            "sale_price": "39",
            "price": "45",
            "item_group_id": "hoodie",
            "color": "Blue",
            "images": [IMG + "hoodie.jpg", IMG + "hoodie-back.jpg"],
        },
    ),
    ("woocommerce.csv", "mug", {"availability": "out_of_stock", "product_types": ["Home", "Kitchen, Bar"]}),
    ("woocommerce.csv", "card", {"availability": "out_of_stock", "published": "-1"}),
    ("woocommerce.csv", "secret", {"availability": "out_of_stock", "visibility_in_catalog": "hidden"}),
    ("woocommerce.csv", "lost", {"item_group_id": "gone", "size": "XL", "availability": "in_stock"}),
    ("woocommerce.csv", "ext", {"size": "41/42", "link": "https://partner.example/shoe", "availability": "backorder"}),
    (
        "magento.csv",
        "WH01-XS-Black",
        {
            "title": "Mona-XS-Black",
            "parent_title": "Mona Pullover",
            "description": "Pure & light",
            "product_type": "Women > Tops",
            "price": "57.00",
            "sale_price": "49.00",
            "item_group_id": "WH01",
            "availability": "in_stock",
            "quantity": "100",
            "color": "Black",
            "size": "XS",
            "material": "Cotton/Wool",
            "climate": "Cold",
            "pattern": "Solid, plain",
            "keywords": ["pullover", "women"],
            "images": ["w/h/wh01-main.jpg", "w/h/wh01-alt.jpg", IMG + "wh01.jpg"],
        },
    ),
    ("magento.csv", "WH01-S-Black", {"availability": "backorder", "size": "S", "color": "Black"}),
    ("magento.csv", "MB01", {"availability": "out_of_stock", "brand": "Acme", "product_type": "Gear > Bags"}),
    ("magento.csv", "MB02", {"availability": "out_of_stock"}),
    (
        "prestashop.csv",
        "demo_1",
        {
            "title": "Hummingbird t-shirt",
            "description": "Cotton & soft",
            "summary": "Regular fit",
            "brand": "Studio Design",
            "product_type": "Men",
            "product_types": ["Home", "Clothes", "Men"],
            "price": "23,90",
            "gtin": "4006381333931",
            "condition": "new",
            "availability": "in_stock",
            "quantity": "20",
            "color": "White",
            "composition": "Cotton",
            "keywords": ["bird", "shirt"],
            "images": [IMG + "1.jpg", IMG + "2.jpg"],
        },
    ),
    ("prestashop.csv", "2", {"availability": "out_of_stock"}),
    ("prestashop.csv", "demo_3", {"availability": "backorder", "images": ["img/poster.jpg"]}),
    ("prestashop.csv", "demo_4", {"availability": "out_of_stock"}),
    ("prestashop.csv", "demo_5", {"availability": "out_of_stock"}),
    ("prestashop_list.csv", "demo_7", {"price": "28,80 €", "availability": "in_stock", "images": [IMG + "7.jpg"]}),
    (
        "medusa.csv",
        "SW-S",
        {
            "title": "Sweater - S / Red",
            "price": "54.00",
            "currency": "EUR",
            "price_usd": "60.00",
            "item_group_id": "sweater",
            "size": "S",
            "color": "Red",
            "material": "Wool",
            "quantity": "3",
            "availability": "in_stock",
            "images": [IMG + "t.jpg", IMG + "1.jpg", IMG + "2.jpg"],
        },
    ),
    ("medusa.csv", "SW-M", {"price": "60.00", "currency": "USD", "availability": "backorder"}),
    ("medusa.csv", "variant_3", {"title": "Mug", "availability": "out_of_stock"}),
    ("medusa_2.csv", "CAP-1", {"title": "Cap", "gtin": "4006381333931", "keywords": ["sun", "cap"], "currency": "USD"}),
    (
        "bigcommerce.csv",
        "CS-41-R",
        {
            "title": "Canvas shoe - 41 / Red",
            "brand": "Acme",
            "price": "49.00",
            "product_type": "Shop > Shoes",
            "item_group_id": "CS",
            "size": "41",
            "color": "Red",
            "material": "Canvas",
            "fit": "Slim",
            "availability": "in_stock",
            "quantity": "4",
            "images": [IMG + "shoe-2.jpg", "s/shoe.jpg"],
        },
    ),
    ("bigcommerce.csv", "CS-42-R", {"price": "52.00", "availability": "out_of_stock"}),
    ("bigcommerce.csv", "102", {"availability": "out_of_stock", "mpn": "M-7", "product_type": "Home > Kitchen"}),
    (
        "bigcommerce_3.csv",
        "TEE-S",
        {
            "title": "Tee - Small / Red",
            "price": "20.00",
            "size": "Small",
            "color": "Red",
            "fabric": "Cotton",
            "images": [IMG + "tee-s.jpg", IMG + "internal.jpg", IMG + "import.jpg"],
        },
    ),
    ("bigcommerce_3.csv", "TEE-M", {"price": "22.00", "availability": "out_of_stock"}),
    (
        "etsy.csv",
        "MUG-B",
        {
            "title": 'Mug "Sea"',
            "currency": "USD",
            "color": "Blue/Sea green",
            "skus": ["MUG-B", "MUG-G"],
            "keywords": ["blue mug", "gift"],
            "images": [IMG + "1.jpg", IMG + "2.jpg", IMG + "10.jpg"],
        },
    ),
    ("etsy.csv", "ring-1", {"availability": "out_of_stock", "size": "6/7", "material": "silver/opal"}),
    (
        "meta.csv",
        "m1",
        {
            "description": "Solid",
            "price": "80.00 EUR",
            "sale_price": "60.00 EUR",
            "availability": "in stock",
            "item_group_id": "chairs",
            "quantity": "7",
            "keywords": ["oak", "chair"],
            "style": ["modern"],
            "images": [IMG + "1.jpg", IMG + "1b.jpg"],
        },
    ),
    ("meta.csv", "m2", {"availability": "out_of_stock"}),
]


@pytest.mark.parametrize(("name", "sku", "expected"), EXPECTED)
def test_a_product_of_an_export_has_the_expected_values(name: str, sku: str, expected: dict[str, Any]):
    found = products(name)[sku]
    assert {field: found.get(field) for field in expected} == expected


def test_the_rows_of_a_magento_store_view_become_an_attribute_of_the_product():
    assert products("magento.csv")["MB01"]["store_views"]["de"]["name"] == "Reisetasche"


def test_the_rules_of_a_bigcommerce_product_become_an_attribute_of_each_variant():
    assert products("bigcommerce.csv")["CS-41-R"]["rules"][0]["price"] == "[FIXED]52.00"


@pytest.mark.parametrize("variant", ["  SKU", "Variant"])
def test_a_variant_without_a_product_is_rejected(variant: str, tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text(f"Item Type,Product Name,Product Code/SKU,Price\n{variant},[S]Size=1,A,3\nProduct,B,B,4\n")
    rejected, product = open_source(path).rows()
    assert isinstance(rejected, Reject) and rejected.sku == "A"
    assert isinstance(product, RawProduct) and product.fields["sku"] == "B"
