"""The loader reads products in the JSON formats of the APIs of WooCommerce, Magento 2, Medusa and Shopify."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from db.catalog.image_paths import ImageRoot
from db.catalog.product import COLUMNS, ValidatedProduct
from db.catalog.validation import validate
from loader.rejects import Reject
from loader.sources import open_source
from loader.sources.api.magento import Magento
from loader.sources.api.medusa import Medusa
from loader.sources.api.platform import ApiPlatform
from loader.sources.api.shopify import ShopifyBulk
from loader.sources.api.woocommerce import WooCommerce

FIXTURES = Path(__file__).parents[1] / "fixtures"
CDN = "https://cdn.example/"
Products = dict[str, dict[str, Any]]


def read(path: Path, **options: Any) -> tuple[Products, list[str]]:
    """Returns the fields, attributes and images of each product by its SKU, and the reasons of rejects and warnings."""
    found: Products = {}
    reasons: list[str] = []
    for row in open_source(path, **options).rows():
        one = row if isinstance(row, Reject) else validate(row, ImageRoot(path.parent), strict=False)
        if isinstance(one, ValidatedProduct):
            fields = {column: getattr(one.product, column) for column in COLUMNS}
            images = [image.uri for image in one.product.images]
            found[one.product.sku] = {"attributes": one.product.attributes, **fields, "images": images}
            reasons += [reason for _, reason in one.warnings]
        else:
            reasons += [one.reason] if isinstance(one, Reject) else one
    return found, reasons


def of(document: object, tmp_path: Path, name: str = "goods.json", **options: Any) -> tuple[Products, list[str]]:
    lines = document if name.endswith(".jsonl") and isinstance(document, list) else [document]
    (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return read(tmp_path / name, **options)


def assert_has(product: dict[str, Any], **expected: Any) -> None:
    attributes = product["attributes"]
    assert {name: product.get(name, attributes.get(name)) for name in expected} == expected


def test_variations_of_woocommerce_inherit_missing_values_from_their_product():
    found, reasons = read(FIXTURES / "woocommerce_rest.json")
    assert (list(found), reasons) == (["LS-S", "796", "800"], [])
    assert_has(
        found["LS-S"],
        title="Linen shirt - Sand",
        description="Cool & airy",
        brand="Acme",
        product_type="Clothing",
        product_types=["Clothing", "Shirts"],
        price=Decimal("50.00"),
        sale_price=Decimal("40.00"),
        item_group_id="LS",
        color="Sand",
        fit="Slim",
        quantity=7,
        rating=Decimal("4.50"),
        images=[CDN + "ls-sand.jpg", CDN + "ls.jpg"],
        image_alt_text=["Sand front", "Linen shirt front"],
        product_global_unique_id="4006381333931",
    )
    assert found["LS-S"]["gtin"] is None  # the GTIN of the product is not the GTIN of a variation
    assert_has(found["796"], availability="out_of_stock", item_group_id="LS", color="Blue", description="Only blue")
    assert_has(found["800"], description="A mug", price=Decimal("12.00"), availability="out_of_stock", rating=None)


def test_a_woocommerce_product_is_loaded_as_one_product_if_its_variations_are_missing(tmp_path: Path):
    rows = json.loads((FIXTURES / "woocommerce_rest.json").read_text())
    found, _ = of([rows[0]], tmp_path)
    assert_has(found["LS"], price=Decimal("40.00"), gtin="4006381333931", variations=[795, 796])
    alone, reasons = of([rows[3], {**rows[1], "name": "Linen shirt - Sand"}], tmp_path, "goods.jsonl")
    assert_has(alone["LS-S"], title="Linen shirt - Sand", item_group_id="794")
    assert reasons == []


def test_custom_attributes_stock_and_inherited_values_of_magento_are_read():
    found, reasons = read(FIXTURES / "magento_rest.json")
    assert (list(found), reasons) == (["WS12-XS", "WS12-S", "24-MB01", "24-MB02"], [])
    assert_has(
        found["WS12-XS"],
        description="So fresh & clean",
        price=Decimal("22.50"),
        sale_price=Decimal("18.00"),
        availability="in_stock",
        quantity=100,
        gtin="4006381333931",
        product_mpn="RT-12",
        product_ean="4006381333924",
        item_group_id="WS12",
        images=["w/s/ws12-blue.jpg", "w/s/ws12-blue-back.jpg", "w/s/ws12-main.jpg"],
        image_alt_text=["Blue", "Blue back"],
        keywords=["tee", "radiant"],
        url_key="radiant-tee-xs-blue",
        color=None,  # 50 is the ID of an option and not a color
        color_option="50",
        brand=None,
        manufacturer_option="12",
    )
    assert str(found["WS12-XS"]["sale_ends_at"]) == "2026-04-30 23:59:59+00:00"  # the sale includes the last day
    assert_has(found["WS12-S"], availability="out_of_stock", climate="All weather", images=["w/s/ws12-main.jpg"])
    assert_has(found["24-MB01"], description="A bag", brand="Acme", color="Night blue", availability="backorder")
    assert_has(found["24-MB02"], price=Decimal("12.35"), exact_price="12.3456", availability="out_of_stock")
    assert not any("cost" in name for product in found.values() for name in product["attributes"])


def test_option_ids_in_the_material_of_a_magento_product_become_an_attribute(tmp_path: Path):
    bag = json.loads((FIXTURES / "magento_rest.json").read_text())["items"][3]
    bag["custom_attributes"] = [{"attribute_code": "material", "value": "33,35"}]
    [found] = of({"items": [bag]}, tmp_path)[0].values()
    assert_has(found, material=None, material_option="33,35")


def test_a_configurable_product_of_magento_without_its_variants_is_loaded_as_one_product(tmp_path: Path):
    items = json.loads((FIXTURES / "magento_rest.json").read_text())["items"]
    found, reasons = of(items[2:4], tmp_path, "goods.jsonl")
    assert (list(found), reasons) == (["WS12", "24-MB01"], [])
    assert_has(found["WS12"], price=None, gtin="4006381333924", mpn="RT-12", availability="in_stock")


def test_the_amounts_of_medusa_1_are_in_the_smallest_unit_of_the_currency():
    found, reasons = read(FIXTURES / "medusa_1_api.json")
    assert reasons == []
    assert_has(
        found["MUG-1"],
        price=Decimal("10.00"),
        currency="EUR",
        compare_at_price=None,
        size="One",
        product_type="Mugs",
        prices_of_region={"original_price": 1000, "calculated_price": 900},
    )
    assert_has(found["MUG-2"], price=Decimal("1500.00"), currency="JPY", availability="backorder", size="Big")


def test_amounts_of_medusa_2_are_in_the_currency_and_an_ambiguous_amount_is_dropped():
    found, reasons = read(FIXTURES / "medusa_2_api.json")
    assert_has(found["SWEAT-B"], price=Decimal("10.00"), currency="EUR", color="Black", quantity=4)
    assert_has(found["SWEAT-W"], price=Decimal("12.00"), sale_price=Decimal("9.99"), color="White")
    assert_has(found["SWEAT-R"], price=None, color="Red")
    assert len(reasons) == 1
    assert reasons[0].startswith("price 1000 EUR could be in the currency or in its smallest unit")


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ({"id": "ma_1", "amount": 1999, "currency_code": "eur"}, "19.99"),
        ({"amount": 1999, "currency_code": "eur", "region_id": None}, "19.99"),
        ({"amount": 1500, "currency_code": "kwd", "price_list_id": None}, "1.50"),
        ({"id": "price_1", "amount": 1999, "currency_code": "eur"}, "1999.00"),
        ({"amount": 19, "currency_code": "eur", "raw_amount": {"value": "19", "precision": 20}}, "19.00"),
        ({"amount": 19.5, "currency_code": "eur"}, "19.50"),  # an amount in the smallest unit has no decimals
        ({"amount": 1999, "currency_code": "jpy"}, "1999.00"),  # the yen has no smaller unit
        ({"amount": 1999, "currency_code": "eur"}, None),
        # The ID has the form of Medusa 1, but only Medusa 2 has the member `rules`.
        ({"id": "ma_1", "amount": 1999, "currency_code": "eur", "rules": {}}, None),
        ({"id": "ma_1", "amount": "free", "currency_code": "eur"}, None),
        ({"id": "ma_1", "amount": None, "currency_code": "eur"}, None),
        ({"id": "ma_1", "amount": 1999, "currency_code": "eur", "min_quantity": 10}, "no price"),
    ],
)
def test_the_members_of_a_medusa_price_decide_the_unit_of_the_amount(
    price: dict[str, Any], expected: str | None, tmp_path: Path
):
    variant = {"id": "variant_1", "sku": "A", "title": "A", "prices": [price]}
    product = {"id": "prod_1", "title": "Mug", "handle": "mug", "is_giftcard": False, "thumbnail": None}
    found, reasons = of({"products": [{**product, "variants": [variant]}]}, tmp_path)
    amount = found["A"]["price"]
    assert (amount and str(amount)) == (None if expected == "no price" else expected)
    assert len(reasons) == (expected is None)
    if expected == "no price":
        assert found["A"]["attributes"]["prices"] == [price]


def test_the_lines_of_a_shopify_bulk_operation_are_joined_to_products():
    found, reasons = read(FIXTURES / "shopify_bulk.jsonl")
    assert (list(found), reasons) == (["LS-S", "LS-B", "gift-card"], [])
    assert_has(
        found["LS-S"],
        title="Linen shirt - Sand",
        description="Cool & airy",
        link="https://shop.example/products/linen-shirt",
        compare_at_price=Decimal("59.00"),
        images=[CDN + "front.jpg"],
        image_alt_text=["Shirt front"],
        collections=[{"id": "gid://shopify/Collection/7", "title": "Summer wear", "handle": "summer-wear"}],
    )
    # The variant and its metafield come after lines of another product.
    assert_has(found["LS-B"], availability="backorder", color="Blue")
    assert_has(found["LS-B"], metafields=[{"namespace": "care", "key": "washing", "value": "cold"}])
    assert_has(found["gift-card"], availability="out_of_stock")
    assert not any("cost" in str(product["attributes"]).lower() for product in found.values())


def test_bulk_lines_with_missing_or_circular_parents_are_loaded_or_rejected_with_a_reason(tmp_path: Path):
    product = {"id": "gid://shopify/Product/1", "title": "Mug", "handle": "mug"}
    variant = {"id": "gid://shopify/ProductVariant/2", "sku": "M", "price": "9.00"}
    image = {"src": "https://cdn.example/m.jpg", "altText": "Mug", "__parentId": product["id"]}
    odd = [
        {**variant, "sku": "ORPHAN", "__parentId": "gid://shopify/Product/404"},
        {
            "id": "gid://shopify/Product/5",
            "title": "Own parent",
            "handle": "own",
            "__parentId": "gid://shopify/Product/5",
        },
    ]
    found, reasons = of([product, {**variant, "__parentId": product["id"]}, image, *odd], tmp_path, "goods.jsonl")
    assert list(found) == ["M", "gid://shopify/Product/5"]
    assert_has(found["M"], images=["https://cdn.example/m.jpg"], image_alt_text=["Mug"])
    assert reasons == ['title is empty, and the file has no parent "gid://shopify/Product/404" with a title']
    (tmp_path / "goods.jsonl").write_text(
        f"{json.dumps(product)}\n{{broken\n{json.dumps({**variant, '__parentId': product['id']})}\n"
    )
    found, reasons = read(tmp_path / "goods.jsonl")
    assert list(found) == ["M"]
    assert len(reasons) == 1 and "not JSON" in reasons[0]


def test_bulk_lines_in_a_circle_of_parents_or_below_too_many_parents_are_all_read(tmp_path: Path):
    def thing(number: int, parent: int | None) -> dict[str, Any]:
        own = {"id": f"gid://shopify/Product/{number}", "title": f"Thing {number}", "handle": f"thing-{number}"}
        return {**own, "__parentId": f"gid://shopify/Product/{parent}"} if parent is not None else own

    circle, chain = 3, 12
    lines = [thing(number, (number + 1) % circle) for number in range(circle)]
    lines += [thing(100 + number, 100 + number - 1 if number else None) for number in range(chain)]
    (tmp_path / "goods.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    read_text = json.dumps([str(row) for row in open_source(tmp_path / "goods.jsonl").rows()])
    for line in lines:
        assert line["title"] in read_text


def test_with_a_mapping_each_object_of_an_api_is_read_as_one_product(tmp_path: Path):
    rows = json.loads((FIXTURES / "woocommerce_rest.json").read_text())
    found, _ = of(rows, tmp_path, mapping={"sku": "id", "price": "price"})
    assert list(found) == ["794", "795", "796", "800"]
    assert_has(found["800"], price=Decimal("9.00"))


def paths(value: Any) -> Iterator[list[Any]]:
    """Yields the path of each member in a JSON value."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield [key]
        yield from ([key, *path] for path in paths(member))


@pytest.mark.parametrize(
    ("name", "platform"),
    [
        ("woocommerce_rest.json", WooCommerce()),
        ("magento_rest.json", Magento()),
        ("medusa_1_api.json", Medusa()),
        ("medusa_2_api.json", Medusa()),
        ("shopify_bulk.jsonl", ShopifyBulk()),
    ],
)
def test_objects_whose_members_have_unexpected_types_are_translated(name: str, platform: ApiPlatform):
    """Replaces each member of the objects by eight values of different types, one after another."""
    written = (FIXTURES / name).read_text()
    document = [json.loads(line) for line in written.splitlines()] if name.endswith(".jsonl") else json.loads(written)
    objects = document if isinstance(document, list) else next(v for v in document.values() if isinstance(v, list))
    for number, *path in [path for path in paths(objects) if len(path) > 1]:
        for odd in (None, 7, "x", [], {}, [1], {"a": [None]}, True):
            changed = json.loads(json.dumps(objects[number]))
            place: Any = changed
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = odd
            platform.recognises(changed)
            assert all(isinstance(each, str) for each in (platform.identifier(changed), *platform.children(changed)))
            assert isinstance(platform.parent(changed), str)
            assert platform.translated(changed)
            if platform.is_linked:
                others = [other for other in objects if other is not objects[number]]
                assert platform.nested(changed, others)
                assert platform.nested(others[0], [changed])
