"""A product with variants is not loaded itself. Its identifiers, prices and stock become attributes of each variant.
If a JSON object has a list of only one variant, the variant gets the identifiers of the product instead."""

import json
from pathlib import Path
from typing import Any

import pytest

from db.catalog.product import RawProduct
from loader.sources import open_source

WOOCOMMERCE = (
    'ID,Type,SKU,MPN,"GTIN, UPC, EAN, or ISBN",Name,Published,Visibility in catalog,In stock?,Stock,'
    "Backorders allowed?,Regular price,Parent,Position\n"
    "30,variable,hoodie,M-30,4006381333931,Hoodie,1,visible,1,9,0,40,,2\n"
    "31,variation,hoodie-red,M-31,,Hoodie - Red,1,visible,1,3,0,45,hoodie,0\n"
)
MAGENTO = (
    "sku,product_type,name,price,mpn,ean,url_key,created_at,attribute_set_code,additional_attributes,configurable_variations\n"
    'tee,configurable,Tee,0.00,M-30,4006381333931,tee,2026-01-02,Top,"upc=036000291452,climate=Cold","sku=tee-s,size=S"\n'
    'tee-s,simple,Tee S,9.00,,,tee-s,2026-01-03,Top,"upc=036000291469",\n'
)
BIGCOMMERCE = (
    "Item Type,Product ID,Product Name,Product Code/SKU,Manufacturer Part Number,GTIN,Price,Sale Price,Current Stock\n"
    "Product,7,Tee,TEE,M-30,4006381333931,9.00,8.00,5\n"
    "SKU,,[RB]Size=S,TEE-S,,,10.00,,2\n"
)
GROUP = {
    "@type": "ProductGroup",
    "name": "Tee",
    "productGroupID": "tee",
    "sku": "TEE",
    "mpn": "M-30",
    "gtin13": "4006381333931",
    "hasVariant": [
        {"@type": "Product", "sku": "TEE-S", "size": "S"},
        {"@type": "Product", "sku": "TEE-M", "size": "M"},
    ],
}
SHOPIFY = {
    "title": "Tee",
    "handle": "tee",
    "sku": "TEE",
    "mpn": "M-30",
    "barcode": "4006381333931",
    "variants": [{"id": 1, "sku": "TEE-S", "title": "S"}, {"id": 2, "title": "M"}],
}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "woocommerce",
            WOOCOMMERCE,
            {
                "parent_id": "30",
                "parent_mpn": "M-30",
                "parent_gtin": "4006381333931",
                "parent_stock": "9",
                "parent_regular_price": "40",
            },
        ),
        (
            "magento",
            MAGENTO,
            {
                "parent_gtin": "4006381333931",
                "parent_upc": "036000291452",
                "parent_mpn": "M-30",
                "parent_price": "0.00",
                "parent_created_at": "2026-01-02",
            },
        ),
        (
            "bigcommerce",
            BIGCOMMERCE,
            {"parent_mpn": "M-30", "parent_gtin": "4006381333931", "parent_price": "9.00", "parent_sale_price": "8.00"},
        ),
        ("jsonld", GROUP, {"parent_sku": "TEE", "parent_mpn": "M-30", "parent_gtin13": "4006381333931"}),
        (
            "json",
            {"products": [SHOPIFY]},
            {"product_sku": "TEE", "product_mpn": "M-30", "product_barcode": "4006381333931"},
        ),
    ],
)
def test_values_of_a_product_become_attributes_of_its_variants(
    name: str, content: Any, expected: dict[str, str], tmp_path: Path
):
    path = tmp_path / "goods.dat"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    source = open_source(path)
    assert source.name == name
    rows = list(source.rows())
    assert rows
    for row in rows:
        assert isinstance(row, RawProduct)
        assert {key: row.attributes.get(key) for key in expected} == expected
        assert row.fields.get("gtin") in (None, "036000291469")  # no variant has the product's GTIN
        assert row.fields.get("mpn") != "M-30"


def test_the_only_variant_of_a_product_has_the_identifiers_of_the_product(tmp_path: Path):
    (tmp_path / "goods.json").write_text(json.dumps({"products": [{**SHOPIFY, "variants": [{"id": 1, "title": "S"}]}]}))
    [row] = open_source(tmp_path / "goods.json").rows()
    assert isinstance(row, RawProduct)
    assert (row.fields["mpn"], row.fields["gtin"]) == ("M-30", "4006381333931")
