"""PUT /products and `windowshop load` store the same row for the same JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from db.catalog.product import COLUMNS
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

# The test gives each field these values, and then the odd values that ODD lists for the field.
ANY_FIELD: list[Any] = [
    "x" * 501, "a\0b", " ", 5, 1.5, -1, 10**30, True, [], {}, ["a", "b"], {"a": 1}, {"name": "N"}, [{"name": "A"}, 5],
    {"value": "19.99", "currency": "EUR"}, [[[1]]],
]  # fmt: skip
EMPTY: list[Any] = [None, " ", [], {}, "0000-00-00"]  # the last is the empty date of MySQL
PRICES: list[Any] = ["N/A", "-1", "1.2905", "5 EUR / 6 USD", 0, 1e300, {"amount": 1250, "exponent": 2}]
DATES: list[Any] = ["soon", "4/1/26", "2026-02-30", 1767225600, "0000-00-00", "31.1.2026 9:30"]
ODD: dict[str, list[Any]] = {
    "description": ["x" * 100_001, "<p>a</p>"],
    "brand": ["<b>a</b>"],
    "product_type": ["a > b"],
    "price": PRICES,
    "currency": ["coins", "eur", "€"],
    "availability": ["auf Anfrage", "auf Lager", "In Stock", False, "https://schema.org/InStock"],
    "gtin": ["4006381333932", 4006381333931, "4.00638E+12", "12"],
    "mpn": ["00017"],
    "item_group_id": [17],
    "link": ["javascript:alert(1)", "/p/1", "x" * 2001],
    "image_link": ["data:image/png;base64,x", "a.jpg", "https://a.example/1.jpg", "../x.jpg", {"url": "b.jpg"}],
    "color": [["red", "blue", "red"]],
    "size": ["Size <M>", 38],
    "material": [["wool"]],
    "condition": ["neu"],
    "sale_price": PRICES,
    "sale_starts_at": DATES,
    "sale_ends_at": DATES,
    "compare_at_price": PRICES,
    "quantity": ["many", "1.000", "5.00", -3, {"available": 5}],
    "rating": ["great", 7, "9/10", {"rate": 4.5, "count": 12}],
    "review_count": [-1, "1,290", [1, 2]],
    "published_at": DATES,
    "attributes": [
        "red", [{"name": "Color", "options": ["Red"]}, {"name": "Depth", "value": 4}], {"a\0": 1, "b": 2},
        {"deep": json.loads("[" * 30 + "]" * 30), "b": 2}, {"x": "y" * 100_001}, {"price": 5, "sku": "other"},
    ],
    "images": [
        "a.jpg", "a.jpg;https://a.example/1.jpg", ["..\\a.jpg", "b.jpg"], [17, "b.jpg"], [{"src": "c.jpg"}],
        [f"{n}.jpg" for n in range(101)], "/etc/passwd", ["", "b.jpg", "b.jpg"], {"alt": "x"},
    ],
}  # fmt: skip
# PUT rejects a product one of whose prices could be two numbers. A load stores the product without this price.
TWO_NUMBERS: list[dict[str, Any]] = [{"price": "1.290"}, {"price": 5, "sale_price": "12.345"}]
# PUT rejects a product whose `attributes` is one of these lists. A load stores the list as an attribute named
# `attributes`.
WITHOUT_NAMES: list[Any] = [["a", "b"], [{"name": "A"}, 5], [[[1]]]]
ODD_PRODUCTS = [
    {"sku": f"{field} {number}", "title": "Thing", field: value}
    for field, values in ODD.items()
    for number, value in enumerate([*ANY_FIELD, *values])
    if field != "attributes" or value not in WITHOUT_NAMES
]
ODD_PRODUCTS += [
    {"sku": "two currencies", "title": "Thing", "price": "5 EUR", "currency": "USD"},
    {"sku": "dates", "title": "Thing", "sale_price": 5, "sale_starts_at": "2026-02-01", "sale_ends_at": "2026-01-01"},
    {"sku": "sale", "title": "Thing", "price": 9, "sale_price": 5, "sale_starts_at": "soon"},
    {"sku": 17, "title": 17},
    {"sku": "no title", "title": None},
    {"sku": "titles", "title": ["a", "b"]},
    {"sku": "x" * 201, "title": "Thing"},
    {"sku": {"a": 1}, "title": "Thing"},
    {"sku": "sku twice", "title": "Thing"},
    {"sku": " sku twice ", "title": "Thing"},
]


@pytest.mark.parametrize("strict", [False, True], ids=["", "strict"])
def test_a_put_and_a_load_omit_or_reject_the_same_odd_values(
    serve: Serve, own_database: Database, tmp_path: Path, strict: bool
) -> None:
    assert set(ODD) == {*COLUMNS, "attributes", "images"} - {"sku", "title"}
    with serve(own_database, image_root=tmp_path) as client:
        answer = client.put(
            "/products", json={"products": ODD_PRODUCTS, "catalog": "odd", "strict": strict, "create": True}
        )
    assert answer.status_code == 200, answer.text
    outcomes = answer.json()["products"]
    by_put = stored(own_database)
    (tmp_path / "goods.jsonl").write_text("".join(json.dumps(product) + "\n" for product in ODD_PRODUCTS))
    summary = load_catalog(
        own_database, tmp_path / "goods.jsonl", catalog="odd", strict=strict, rejects=tmp_path / "rejects.csv"
    )
    rejected = [outcome for outcome in outcomes if outcome["status"] == "rejected"]
    assert (summary.inserted, summary.updated, summary.unchanged) == (0, 0, len(outcomes) - len(rejected))
    assert stored(own_database) == by_put
    assert summary.rejected == len(rejected)
    if strict:
        return
    assert {outcome["sku"] for outcome in rejected} == {"no title", "titles", "x" * 201, "", "sku twice"}
    for product, outcome in zip(ODD_PRODUCTS, outcomes, strict=True):
        if outcome["status"] == "rejected":
            continue
        row, reason = by_put[outcome["sku"]], outcome["reason"]
        fields = [name for name in product if name not in ("sku", "title")]
        is_omitted = set(row) <= {"sku", "title"} and any(product[name] not in EMPTY for name in fields)
        assert reason or not is_omitted, product
        named = ["image" if name in ("images", "image_link") else name.removesuffix("s") for name in fields]
        assert not reason or any(name in reason for name in named), outcome
    omitted = {field for field in summary.warnings if summary.warnings[field].count}
    assert omitted == {*ODD, "image"} - {"images", "image_link"}


def test_a_put_rejects_and_a_load_stores_attributes_that_are_a_list_without_names(
    serve: Serve, own_database: Database, tmp_path: Path
) -> None:
    products = [{"sku": str(n), "title": "Thing", "attributes": value} for n, value in enumerate(WITHOUT_NAMES)]
    with serve(own_database) as client:
        outcomes = client.put("/products", json={"products": products}).json()["products"]
    assert {one["reason"] for one in outcomes} == {"attributes is a list; write an object"}
    (tmp_path / "goods.json").write_text(json.dumps({"products": products}))
    assert load_catalog(own_database, tmp_path / "goods.json").inserted == len(WITHOUT_NAMES)
    rows = stored(own_database)
    assert [rows[str(n)]["attributes"] for n in range(3)] == [{"attributes": value} for value in WITHOUT_NAMES]


@pytest.mark.parametrize("ambiguous", TWO_NUMBERS)
def test_a_put_with_a_price_that_could_be_two_numbers_keeps_the_stored_price(
    serve: Serve, own_database: Database, tmp_path: Path, ambiguous: dict[str, Any]
) -> None:
    stored_before = {"sku": "1", "title": "Thing", "price": 9, "sale_price": 7}
    with serve(own_database) as client:
        client.put("/products", json={"products": [stored_before]}).raise_for_status()
        answer = client.put("/products", json={"products": [{"sku": "1", "title": "Thing", **ambiguous}]})
    [outcome] = answer.json()["products"]
    assert outcome["status"] == "rejected" and "could be two numbers" in outcome["reason"]
    assert (stored(own_database)["1"]["price"], stored(own_database)["1"]["sale_price"]) == (9, 7)
    (tmp_path / "goods.jsonl").write_text(json.dumps({"sku": "2", "title": "Thing", **ambiguous}) + "\n")
    assert load_catalog(own_database, tmp_path / "goods.jsonl").inserted == 1
    assert stored(own_database)["2"].get("sale_price") is None


def test_the_other_prices_and_dates_of_a_request_decide_an_ambiguous_value(
    serve: Serve, own_database: Database
) -> None:
    products = [
        {"sku": "1", "title": "Thing", "price": "1.290 EUR", "published_at": "4/1/26"},
        {"sku": "2", "title": "Thing", "price": "12,90 EUR", "published_at": "1/31/26"},
    ]
    with serve(own_database) as client:
        client.put("/products", json={"products": products}).raise_for_status()
    row = stored(own_database)["1"]
    assert (row["price"], str(row["published_at"])[:10]) == (1290, "2026-04-01")


def test_a_put_and_a_load_store_the_same_products(serve: Serve, own_database: Database, tmp_path: Path) -> None:
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


def test_a_put_stores_private_attributes_only_if_keep_names_them(serve: Serve, own_database: Database) -> None:
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
