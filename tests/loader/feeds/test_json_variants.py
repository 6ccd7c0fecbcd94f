"""A JSON object with a list of variants gives a product for each variant."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from db.catalog.image_paths import ImageRoot
from db.catalog.product import COLUMNS, ValidatedProduct
from db.catalog.validation import validate
from loader.sources import open_source

FIXTURES = Path(__file__).parents[1] / "fixtures"
CDN = "https://cdn.example/"


def products(path: Path, **options: Any) -> dict[str, dict[str, Any]]:
    """Returns the fields, attributes and images of each product by its SKU."""
    validated = [validate(row, ImageRoot(path.parent), strict=False) for row in open_source(path, **options).rows()]  # type: ignore[arg-type]
    found = {}
    for one in validated:
        assert isinstance(one, ValidatedProduct)
        assert one.warnings == ()
        fields = {column: getattr(one.product, column) for column in COLUMNS}
        found[one.product.sku] = {**one.product.attributes, **fields, "images": [i.uri for i in one.product.images]}
    return found


def of(document: object, tmp_path: Path, name: str = "goods.json", **options: Any) -> dict[str, dict[str, Any]]:
    (tmp_path / name).write_text(json.dumps(document))
    return products(tmp_path / name, **options)


def assert_has(product: dict[str, Any], **expected: Any) -> None:
    assert {name: product.get(name) for name in expected} == expected


def test_the_variants_of_shopifys_products_json_become_products():
    found = products(FIXTURES / "shopify_products.json")
    assert list(found) == ["LS-S", "linen-shirt/M/Sand", "gift"]
    assert_has(
        found["LS-S"],
        title="Linen shirt - S / Sand",
        price=Decimal("49.00"),
        compare_at_price=Decimal("59.00"),
        availability="in_stock",
        item_group_id="linen-shirt",
        color="Sand",
        size="S",
        image_alt_text=["Sand front"],
        images=[CDN + "sand.jpg?v=1", CDN + "main.jpg"],
        product_id=632910392,
    )
    assert_has(found["linen-shirt/M/Sand"], availability="out_of_stock", size="M", price=Decimal("1049.00"))
    assert_has(found["gift"], title="Gift card", item_group_id=None, gtin="4006381333931", availability="out_of_stock")
    assert not any("cost" in name for name in found["gift"])


@pytest.mark.parametrize("name", ["goods.json", "goods.jsonl"])
def test_amounts_in_cents_of_shopifys_product_js_are_converted(name: str, tmp_path: Path):
    variants = [
        {"id": 1, "title": "Red", "name": "Bag - Red", "sku": "R", "price": 4900, "compare_at_price": 5900},
        {"id": 2, "title": "Blue", "name": "Bag - Blue", "sku": "B", "price": 129000, "available": False},
    ]
    document = {"id": 9, "title": "Bag", "price": 4900, "price_varies": True, "images": ["//x.example/1.jpg"]}
    found = of({**document, "variants": variants}, tmp_path, name)
    assert_has(found["R"], title="Bag - Red", price=Decimal("49.00"), compare_at_price=Decimal("59.00"))
    assert_has(found["B"], title="Bag - Blue", price=Decimal("1290.00"), availability="out_of_stock")


def test_the_variants_of_medusa_have_options_and_a_calculated_price(tmp_path: Path):
    options = [{"value": "S", "option": {"title": "Size"}}]
    price = {"calculated_amount": 49.5, "currency_code": "eur"}
    stock = {"manage_inventory": True, "inventory_quantity": 0, "allow_backorder": True}
    product = {
        "id": "prod_1",
        "title": "Sweater",
        "status": "published",
        "thumbnail": CDN + "t.jpg",
        "images": [{"id": "i", "url": CDN + "1.jpg"}],
        "tags": [{"value": "wool"}],
        "options": [{"title": "Size", "values": [{"value": "S"}]}],
        "variants": [
            {"id": "v1", "title": "S", "sku": "SW-S", "options": options, "calculated_price": price, **stock},
            {
                "id": "v2",
                "title": "M",
                "sku": "SW-M",
                "options": [],
                "manage_inventory": False,
                "inventory_quantity": 0,
            },
            {"id": "v3", "title": "L", "sku": "SW-L", "manage_inventory": False},
        ],
    }
    found = of({"products": [product]}, tmp_path)
    assert_has(found["SW-S"], title="Sweater - S", price=Decimal("49.50"), currency="EUR", availability="backorder")
    assert_has(found["SW-S"], size="S", keywords=["wool"], images=[CDN + "1.jpg", CDN + "t.jpg"])
    assert_has(found["SW-M"], title="Sweater - M", availability="in_stock", price=None)
    assert_has(found["SW-L"], availability="in_stock")


def test_the_variants_of_bigcommerce_inherit_the_price_and_show_no_costs(tmp_path: Path):
    def variant(size: str, stock: int, **more: Any) -> dict[str, Any]:
        values = [{"option_display_name": "Size", "label": size}]
        return {"sku": f"CS-{size}", "option_values": values, "inventory_level": stock, "cost_price": 9, **more}

    product = {
        "id": 174,
        "name": "Shoe",
        "sku": "CS",
        "price": 49.95,
        "cost_price": 20,
        "availability": "available",
        "inventory_tracking": "variant",
        "custom_fields": [{"name": "Fit", "value": "Slim"}, {"name": "Wholesale price", "value": "22"}],
        "images": [{"url_standard": CDN + "std.jpg", "url_zoom": CDN + "zoom.jpg"}],
        "variants": [variant("41", 4, price=None, image_url=CDN + "41.jpg"), variant("42", 0, price=52)],
    }
    found = of({"data": [product], "meta": {"pagination": {"total": 1}}}, tmp_path)
    assert_has(found["CS-41"], price=Decimal("49.95"), size="41", images=[CDN + "41.jpg", CDN + "zoom.jpg"])
    assert_has(found["CS-42"], price=Decimal("52.00"), availability="out_of_stock", product_availability="available")
    assert found["CS-41"]["custom_fields"] == [{"name": "Fit", "value": "Slim"}]
    assert not any("cost" in name for name in found["CS-41"])


def test_graphql_lists_of_edges_are_read(tmp_path: Path):
    variant = {
        "id": "gid://v/2",
        "sku": "BAG-R",
        "price": {"amount": "49.0", "currencyCode": "EUR"},
        "availableForSale": True,
        "selectedOptions": [{"name": "Color", "value": "Red"}],
    }
    node = {
        "id": "gid://p/1",
        "title": "Bag",
        "descriptionHtml": "<p>Big</p>",
        "images": {"edges": [{"node": {"url": CDN + "f.jpg", "altText": "Front"}}]},
        "variants": {"edges": [{"node": variant}]},
    }
    found = of({"data": {"products": {"edges": [{"node": node, "cursor": "c"}]}}}, tmp_path)
    assert_has(found["BAG-R"], title="Bag", description="Big", price=Decimal("49.00"), currency="EUR", color="Red")
    assert_has(found["BAG-R"], availability="in_stock", images=[CDN + "f.jpg"], image_alt_text=["Front"])


def test_variants_with_columns_of_their_own_inherit_the_other_columns(tmp_path: Path):
    variants = [{"sku": "A-S", "size": "S", "price": 11}, {"sku": "A-M", "attributes": {"Size": "M"}, "price": 12}]
    found = of([{"sku": "A", "name": "Tee", "price": 10, "color": "Red", "variants": variants}], tmp_path)
    assert_has(found["A-S"], title="Tee - S", size="S", color="Red", item_group_id="A", price=Decimal(11))
    assert_has(found["A-M"], title="Tee - M", size="M", color="Red", product_price=10, product_sku="A")


@pytest.mark.parametrize("variants", [[], [{"color": "red"}], ["A-S"], [{"sku": "A-S"}, 5], 3])
def test_variants_without_identifiers_and_malformed_lists_stay_with_their_product(variants: object, tmp_path: Path):
    found = of([{"sku": "A", "name": "Tee", "variants": variants}], tmp_path)
    assert list(found) == ["A"]
    assert found["A"].get("variants") == (variants or None)


def test_variants_that_share_a_sku_get_different_skus(tmp_path: Path):
    variants = [{"id": 1, "sku": "X", "option1": "S"}, {"id": 2, "sku": "X", "option1": "M"}]
    product = {"id": 5, "title": "Tee", "handle": "tee", "options": ["Size"], "variants": variants}
    found = of([product], tmp_path)
    assert list(found) == ["tee/S", "tee/M"]
    assert_has(found["tee/S"], variant_sku="X", title="Tee - S")


def test_unusual_titles_and_options_of_variants_are_kept(tmp_path: Path):
    variants = [{"id": 1, "title": {"en": "Small"}, "option1": ["S"]}, {"id": 2, "title": "M"}]
    found = of([{"id": 5, "name": "Tee", "options": ["Size"], "variants": variants}], tmp_path)
    assert_has(found["1"], title="Tee", variant_title=[{"en": "Small"}], option1=["S"])
    assert_has(found["2"], title="Tee - M", variant_title=None)


def test_a_mapping_into_the_list_of_variants_gives_one_product(tmp_path: Path):
    product = {"id": 5, "title": "Tee", "variants": [{"id": 1, "sku": "X", "price": "9.00"}]}
    found = of([product], tmp_path, mapping={"price": ["variants.0.price"]})
    assert_has(found["5"], title="Tee", price=Decimal(9))


def test_an_image_without_an_address_is_reported(tmp_path: Path):
    (tmp_path / "a.json").write_text(json.dumps([{"id": 1, "name": "A", "images": [{"width": 900}]}]))
    [row] = open_source(tmp_path / "a.json").rows()
    found = validate(row, None, strict=False)  # type: ignore[arg-type]
    assert isinstance(found, ValidatedProduct)
    assert found.warnings == (("image", "an image is an object without an address"),)
