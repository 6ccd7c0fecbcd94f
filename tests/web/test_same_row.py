"""PUT /products and `windowshop load` store the same row for the same JSON."""

import json
from pathlib import Path
from typing import Any

from db.engine import Database
from tests.support.loading import load_catalog, stored
from tests.support.web_service import Serve

PRODUCTS: list[dict[str, Any]] = [
    {"sku": "K1", "title": "Backpack one", "attributes": {"strap_cm": 60, "tags": ["vegan"], "Frame Size": "XL"}},
    {
        "sku": "K2",
        "title": " Salt &amp;  pepper ",
        "description": "<p>a &eacute;</p>",
        "price": 12.5,
        "currency": "eur",
    },
    {
        "sku": "K3",
        "title": "Mug",
        "price": "1.299,00 EUR",
        "availability": "In Stock",
        "attributes": {"note": "<b>x</b>"},
    },
    {"sku": "K4", "title": "Lamp", "images": ["https://a.example/1.jpg?a=1&amp;b=2", "https://a.example/2;3.jpg"]},
    {"sku": "K5", "title": "Desk", "image_link": "https://a.example/1.jpg", "link": "https://a.example/?a=1&amp;b=2"},
    {"sku": "K6", "title": "Chair", "image_link": "https://a.example/1.jpg", "images": ["https://a.example/2.jpg"]},
    {"sku": "K7", "title": "Bed", "gtin": "4006381333932", "brand": None, "color": "", "images": []},
    {
        "sku": "K8",
        "title": "Rug",
        "price": 1290,
        "item_group_id": "R",
        "attributes": {"deep": {"list": [1, "a", None]}},
    },
    {
        "sku": "K9",
        "title": "Sofa",
        "price": 900,
        "sale_price": 799.5,
        "compare_at_price": "1.100,00 EUR",
        "sale_starts_at": "2026-11-20T08:00:00+01:00",
        "sale_ends_at": "2026-11-30",
        "quantity": 5,
        "rating": 4.5,
        "review_count": 1290,
        "published_at": "2026-01-31",
    },
    {
        "sku": "P1",
        "title": "Bench",
        "attributes": {
            "cost": 5,
            "Supplier": "Acme",
            "shipping_cost": 4,
            "Einkaufspreis": "7,50",
            "reviews": [{"author": "Ann", "stars": 5}],
            "params": [{"name": "Cost", "value": 5}, {"name": "Depth", "value": 40}],
            "book": {"author": "Bo"},
        },
    },
    {"sku": "K10", "title": "Stool", "sale_price": "49 EUR", "quantity": "5.00", "rating": "9/10", "published_at": ""},
]


def test_put_and_load_store_the_same_products(serve: Serve, own_database: Database, tmp_path: Path) -> None:
    with serve(own_database) as client:
        answer = client.put("/products", json={"products": PRODUCTS})
        outcomes = answer.json()["products"]
        assert {outcome["sku"]: outcome["reason"] for outcome in outcomes if outcome["reason"]} == {
            "K7": 'gtin "4006381333932" has a wrong check digit'
        }
        assert {outcome["status"] for outcome in outcomes} == {"inserted"}
    by_put = stored(own_database)
    (tmp_path / "goods.jsonl").write_text("".join(json.dumps(product) + "\n" for product in PRODUCTS))
    (tmp_path / "goods.json").write_text(json.dumps({"products": PRODUCTS}))
    for name in ("goods.jsonl", "goods.json"):
        summary = load_catalog(own_database, tmp_path / name, rejects=tmp_path / "rejects.csv")
        assert stored(own_database) == by_put
        assert (summary.unchanged, summary.updated) == (len(PRODUCTS), 0)


def test_put_stores_private_attributes_only_if_keep_names_them(serve: Serve, own_database: Database) -> None:
    attributes = {"cost": 5, "parts": {"supplier": "Acme", "Wholesale Price": 7}, "glaze": "matt"}
    body: dict[str, Any] = {"products": [{"sku": "P1", "title": "Mug", "attributes": attributes}]}
    with serve(own_database) as client:
        [outcome] = client.put("/products", json=body).json()["products"]
        assert outcome == {
            "sku": "P1", "status": "inserted", "reason": None,
            "not_stored": ["cost", "parts.Wholesale Price", "parts.supplier"],
        }  # fmt: skip
        assert client.get("/products/P1").json()["attributes"] == {"parts": {}, "glaze": "matt"}
        [outcome] = client.put("/products", json=body | {"keep": ["Cost", "wholesale price"]}).json()["products"]
        assert (outcome["status"], outcome["not_stored"]) == ("updated", ["parts.supplier"])
        assert client.get("/products/P1").json()["attributes"] == {
            "cost": 5, "parts": {"Wholesale Price": 7}, "glaze": "matt",
        }  # fmt: skip
