"""Shopify exports give the expected products. The exports were written by hand from Shopify's public list of
columns."""

from decimal import Decimal
from pathlib import Path

from db.catalog.product import RawProduct
from db.engine import Database
from loader.sources import open_source
from tests.support.loading import load_catalog, stored

FIXTURES = Path(__file__).parents[1] / "fixtures"


CDN = "https://cdn.shop.example/"


OF_ALL = {
    "description": "Cool & light.\n100% linen\nMade in Portugal",
    "brand": "Costa",
    "product_type": "Shirts",
    "item_group_id": "linen-shirt",
}


ATTRIBUTES = {
    "published": "true",
    "status": "active",
    "gift_card": "false",
    "variant_inventory_tracker": "shopify",
    "variant_inventory_policy": "deny",
    "image_alt_text": "On a chair",
    "handle": "linen-shirt",
    "keywords": ["summer", "linen"],
    "product_category": "Apparel & Accessories > Clothing > Shirts",
}


IN_ORDER = [CDN + f"shirt-{n}.jpg" for n in (1, 2, 3, 10)]


SHIRTS_AND_MORE = {
    "00451": {
        **OF_ALL,
        "sku": "00451",
        "title": "Linen shirt - Sand / M",
        "price": Decimal("59.00"),
        "availability": "in_stock",
        "gtin": "5601234567892",
        "image_link": CDN + "shirt-sand.jpg",
        "color": "Sand",
        "size": "M",
        "attributes": {
            **ATTRIBUTES,
            "color": "Sand",
            "size": "M",
            "variant_grams": "210",
            "variant_weight_unit": "g",
        },
        "compare_at_price": Decimal("79.00"),
        "quantity": 7,
        "images": [CDN + "shirt-sand.jpg", *IN_ORDER],
    },
    "linen-shirt/Sand/L": {
        **OF_ALL,
        "sku": "linen-shirt/Sand/L",
        "title": "Linen shirt - Sand / L",
        "price": Decimal("59.00"),
        "availability": "out_of_stock",
        "image_link": CDN + "shirt-sand.jpg",
        "color": "Sand",
        "size": "L",
        "attributes": {**ATTRIBUTES, "color": "Sand", "size": "L"},
        "quantity": 0,
        "images": [CDN + "shirt-sand.jpg", *IN_ORDER],
    },
    "LS-B-L": {
        **OF_ALL,
        "sku": "LS-B-L",
        "title": "Linen shirt - Blue / L",
        "price": Decimal("62.50"),
        "availability": "backorder",
        "image_link": CDN + "shirt-1.jpg",
        "color": "Blue",
        "size": "L",
        "attributes": {
            **ATTRIBUTES,
            "color": "Blue",
            "size": "L",
            "variant_inventory_policy": "continue",
        },
        "quantity": -2,
        "images": IN_ORDER,
    },
    "gift-card": {
        "sku": "gift-card",
        "title": "Gift card",
        "brand": "Costa",
        "price": Decimal("25.00"),
        "availability": "in_stock",
        "image_link": CDN + "card.jpg",
        "attributes": {"handle": "gift-card", "gift_card": "true", "published": "true", "status": "active"},
        "images": [CDN + "card.jpg"],
    },
    "HAT-1": {
        "sku": "HAT-1",
        "title": "Old hat",
        "price": Decimal("15.00"),
        "availability": "out_of_stock",
        "attributes": {"handle": "old-hat", "published": "false", "status": "draft"},
    },
}


def test_variants_and_handles_without_variants_of_a_shopify_export_become_products(
    emptied_database: Database, tmp_path: Path
):
    summary = load_catalog(emptied_database, FIXTURES / "shopify.csv")
    assert (summary.source, summary.read, summary.inserted, summary.rejected) == ("shopify", 7, 5, 2)
    assert stored(emptied_database) == SHIRTS_AND_MORE
    assert (tmp_path / "shopify.rejects.csv").read_text().splitlines()[1:] == [
        "10,,the handle is empty",
        "9,,no row of the handle no-title has a title",
    ]


def test_variants_with_the_same_sku_get_a_sku_from_handle_and_options(tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text(
        "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price,Image Src,Image Alt Text\n"
        "tee,Tee,Größe,S,TEE-1,20,https://img.example/a.jpg,From the front\n"
        "tee,,,M,TEE-1,20,,\n"
        "cap,Cap,Color,Red,CAP-1,10,,\n"
        "hat,Hat,Title,Default Title,TEE-1,5,,\n"
    )
    rows = [row for row in open_source(path).rows() if isinstance(row, RawProduct)]
    assert [row.fields["sku"] for row in rows] == ["tee/S", "tee/M", "CAP-1", "hat"]
    assert [row.attributes.get("variant_sku") for row in rows] == ["TEE-1", "TEE-1", None, "TEE-1"]
    assert [row.fields.get("size") for row in rows] == ["S", "M", None, None]
    assert rows[1].attributes["image_alt_text"] == "From the front"


def test_the_column_names_of_shopify_exports_since_2025_are_recognised(emptied_database: Database):
    assert load_catalog(emptied_database, FIXTURES / "shopify_2025.csv").source == "shopify"
    found = stored(emptied_database)
    desk = found["WD-120"]
    assert desk["description"] == "Solid\nOiled by hand\n120 x 60 cm"
    assert (desk["product_type"], desk["availability"]) == ("Furniture > Desks", "backorder")
    assert desk["images"] == ["https://cdn.shop.example/desk.jpg"]
    assert found["OD-120"]["availability"] == "out_of_stock"
