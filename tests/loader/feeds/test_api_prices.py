"""The loader reads the prices of WooCommerce's Store API, of Stripe and of Magento, and the names of categories."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.loader.feeds.test_api_objects import CDN, assert_has, of, read


def test_prices_of_woocommerces_store_api_are_converted_from_the_smallest_unit(tmp_path: Path):
    def prices(regular: str, sale: str, currency: str, decimals: int) -> dict[str, Any]:
        named = {"price": sale, "regular_price": regular, "sale_price": sale, "price_range": None}
        return {**named, "currency_code": currency, "currency_minor_unit": decimals}

    image = {"id": 1, "src": f"{CDN}a.jpg", "thumbnail": f"{CDN}t.jpg", "alt": "A mug"}
    terms = [{"id": 1, "name": "Blue", "slug": "blue"}]
    products = [
        {
            "id": 34,
            "name": "Mug",
            "parent": 0,
            "type": "simple",
            "sku": "MUG",
            "short_description": "<p>Short</p>",
            "description": "",
            "prices": prices("1299", "1105", "GBP", 2),
            "average_rating": "4.5",
            "review_count": 2,
            "images": [image],
            "categories": [{"id": 16, "name": "Decor"}],
            "attributes": [{"id": 1, "name": "Color", "taxonomy": "pa_color", "terms": terms}],
            "variations": [],
            "is_in_stock": True,
            "is_on_backorder": False,
        },
        {
            "id": 35,
            "name": "Cup",
            "parent": 34,
            "type": "variation",
            "sku": "",
            "prices": prices("1290", "1290", "JPY", 0),
            "average_rating": "0",
            "review_count": 0,
            "is_in_stock": False,
        },
        {"id": 36, "name": "Odd", "prices": {"price": "x", "currency_minor_unit": 2}},
    ]
    found, reasons = of(products, tmp_path)
    assert reasons == []
    assert_has(
        found["MUG"],
        price=Decimal("12.99"),
        sale_price=Decimal("11.05"),
        currency="GBP",
        product_type="Decor",
        description="Short",
        color="Blue",
        availability="in_stock",
        rating=Decimal("4.5"),
        images=[f"{CDN}a.jpg"],
        image_alt_text=["A mug"],
    )
    assert_has(found["35"], price=1290, currency="JPY", item_group_id="34", availability="out_of_stock", rating=None)
    assert_has(found["36"], price=None, prices={"price": "x", "currency_minor_unit": 2})


def test_amounts_of_stripe_are_converted_from_the_smallest_unit(tmp_path: Path):
    def product(number: int, price: Any, **more: Any) -> dict[str, Any]:
        return {"id": f"prod_{number}", "object": "product", "name": "Plan", "default_price": price, **more}

    products = [
        product(1, {"currency": "usd", "unit_amount": 1999, "unit_amount_decimal": "1999"}, active=True),
        product(2, {"currency": "jpy", "unit_amount": 1999}, active=False),
        product(3, {"currency": "kwd", "unit_amount": 1990}),
        product(4, "price_4"),
        product(5, {"currency": "usd", "unit_amount": None, "tiers_mode": "graduated"}),
    ]
    found, reasons = of({"object": "list", "data": products}, tmp_path)
    prices = [(each["price"], each["currency"]) for each in found.values()]
    cents = [(Decimal("19.99"), "USD"), (1999, "JPY"), (Decimal("1.99"), "KWD")]
    assert prices == [*cents, (None, None), (None, None)]
    assert found["prod_2"]["availability"] == "out_of_stock"
    assert found["prod_4"]["attributes"]["default_price"] == "price_4"
    assert reasons == ["price has no unit_amount"]


def test_a_tier_price_of_one_piece_for_everybody_is_the_sale_price(tmp_path: Path):
    def product(sku: str, tiers: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        shared = {"name": "Mug", "attribute_set_id": 4, "price": 20, "status": 1, "visibility": 4, "type_id": "simple"}
        return {"sku": sku, **shared, "tier_prices": tiers, "custom_attributes": [], **more}

    ten = {"customer_group_id": 32000, "qty": 10, "value": 15}
    group = {"customer_group_id": 2, "qty": 1, "value": 9}
    percent = {"customer_group_id": 0, "qty": 1, "value": 5, "extension_attributes": {"percentage_value": 10}}
    special = [{"attribute_code": "special_price", "value": "17.5000"}]
    products = [
        product("T-1", [{"customer_group_id": 32000, "qty": 1, "value": 18}, ten, group]),
        product("T-2", [percent]),
        product("T-3", [{"customer_group_id": 0, "qty": 1, "value": 18}], custom_attributes=special),
        product("T-4", [{"customer_group_id": 0, "qty": 1, "value": 25}]),
    ]
    found, reasons = of({"items": products, "total_count": 4}, tmp_path)
    assert reasons == []
    assert [each["sale_price"] for each in found.values()] == [18, None, Decimal("17.5"), None]
    assert found["T-1"]["attributes"]["tier_prices"] == [ten]
    assert "group_prices" not in found["T-1"]["attributes"]  # a private attribute
    assert found["T-2"]["attributes"]["tier_prices"] == [percent]


def test_prices_of_magentos_graphql_api_are_read(tmp_path: Path):
    def item(sku: str, regular: float, final: float) -> dict[str, Any]:
        lowest = {
            name: {"value": value, "currency": "USD"}
            for name, value in (("regular_price", regular), ("final_price", final))
        }
        return {
            "sku": sku,
            "name": "Bag",
            "description": {"html": "<p>Soft</p>"},
            "price_range": {"minimum_price": lowest},
        }

    found, reasons = of({"data": {"products": {"items": [item("1", 34, 30), item("2", 34, 34)]}}}, tmp_path)
    assert reasons == []
    assert_has(found["1"], price=34, sale_price=30, currency="USD", description="Soft")
    assert_has(found["2"], price=34, sale_price=None)


@pytest.mark.parametrize(
    ("categories", "kinds", "warns"),
    [
        ([{"id": 23, "name": "Books", "children": [{"id": 24, "name": "Magazines"}]}], ["Books", "Magazines"], False),
        ({"23": "Books", "24": {"name": "Magazines"}}, ["Books", "Magazines"], False),
        ({"23": "Books"}, ["Books"], True),
        (None, [], True),
    ],
)
def test_the_ids_of_categories_are_replaced_by_the_names_in_the_file(
    categories: Any, kinds: list[str], warns: bool, tmp_path: Path
):
    document = {"data": [{"sku": "1", "name": "Journal", "categories": [23, 24]}], "categories": categories}
    for written in (document, dict(reversed(document.items()))):
        found, reasons = of(written, tmp_path)
        assert found["1"]["product_type"] == (kinds[0] if kinds else None)
        assert found["1"]["attributes"].get("product_types", kinds[:1]) == (kinds if len(kinds) > 1 else kinds[:1])
        assert bool(reasons) == warns


def test_a_tier_price_of_magento_1_is_the_sale_price_and_group_prices_are_private(tmp_path: Path):
    (tmp_path / "goods.csv").write_text(
        "sku,_store,_type,_category,name,price,special_price,_tier_price_customer_group,_tier_price_qty,"
        "_tier_price_price\nA,,simple,Bags,Bag,30.0000,,all,1.0000,25.0000\n,,,,,,,2,1.0000,11.0000\n"
        ",,,,,,,all,5.0000,20.0000\nB,,simple,Bags,Bag,30.0000,28.0000,all,1.0000,25.0000\n"
    )
    found, _ = read(tmp_path / "goods.csv")
    assert (found["A"]["sale_price"], found["B"]["sale_price"]) == (25, 28)
    assert found["A"]["attributes"]["tier_price"] == [{"customer_group": "all", "qty": "5.0000", "price": "20.0000"}]
    assert "11.0000" not in str(found)
