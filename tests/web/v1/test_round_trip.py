"""Products that are exported can be put or loaded again, and keep every field and every image."""

import json
import threading
from pathlib import Path
from typing import Any

import httpx
from PIL import Image as Drawing
from sqlalchemy import text

from db.catalog.product import COLUMNS
from db.engine import Database
from tests.support.loading import load_catalog
from tests.support.processes import wait_until
from tests.support.web_service import PRODUCTS, Serve
from tests.web.v1.test_products import lines, patch

EVERY_FIELD = {
    "sku": "R/1", "title": "A coat & a hat", "description": "Two lines\nof text", "brand": "Nord",
    "product_type": "coats > wool", "price": 20.5, "currency": "EUR", "availability": "in_stock",
    "gtin": "4006381333931", "mpn": "M 1", "item_group_id": "G", "link": "https://shop.example/a?b=1&c=2",
    "image_link": "https://cdn.example/first.jpg", "color": "red", "size": "42", "material": "wool",
    "condition": "new", "sale_price": 15.25, "sale_starts_at": "2026-01-31T09:30:00Z",
    "sale_ends_at": "2027-01-31T09:30:00Z", "compare_at_price": 30.0, "quantity": 3, "rating": 4.25,
    "review_count": 7, "published_at": "2025-01-31T09:30:00Z",
    "attributes": {"lining": "silk", "care": {"wash": 30, "iron": True, "dry": None}, "sizes": [1, 2.5, "x"]},
    "images": ["https://cdn.example/b.jpg", "s3://pictures/c.jpg"],
}  # fmt: skip


def test_every_field_of_an_export_survives_a_put(serve: Serve, own_database: Database) -> None:
    """The service has no image root, and the catalog was loaded with an image root. No product has a private
    attribute."""
    assert {*COLUMNS, "attributes", "images"} == set(EVERY_FIELD)

    def images() -> list[Any]:
        with own_database.connect(None) as conn:
            order = "select * from shop.product_image order by product_id, position"
            return [tuple(row) for row in conn.execute(text(order))]

    with serve(own_database) as client:
        [outcome] = client.put("/v1/products", json={"products": [EVERY_FIELD]}).json()["products"]
        assert outcome == {"sku": "R/1", "status": "inserted", "reason": None, "not_stored": []}
        exported, before = lines(client), images()
        assert EVERY_FIELD in exported
        outcomes = client.put("/v1/products", json={"products": exported}).json()["products"]
        assert {(one["status"], one["reason"]) for one in outcomes} == {("unchanged", None)}
        [of_file] = [product for product in exported if product["sku"] == "sku 7"]
        changed = client.put("/v1/products", json={"products": [of_file | {"title": "new"}]}).json()["products"]
        assert [(one["status"], one["reason"]) for one in changed] == [("updated", None)]
        assert patch(client, "sku 8", {"images": ["8.png"]}).json()["status"] == "unchanged"
        assert images() == before
        assert patch(client, "sku 8", {"images": ["9.png"]}).status_code == 422  # another product has this path
        client.put("/v1/products", json={"products": [of_file | {"images": ["8.png"]}]}).raise_for_status()
        assert len(images()) == len(before) - 1


def test_a_put_drops_the_image_path_of_a_product_that_is_deleted_before_the_lock(
    serve: Serve, own_database: Database
) -> None:
    waiting = text(
        "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())"
    )

    def waits_for_the_lock() -> Any:
        with own_database.connect(None) as watching:
            return watching.scalar(waiting)

    body = {"products": [{"sku": "sku 7", "title": "new", "images": ["7.png"]}]}
    answers: list[httpx.Response] = []
    with serve(own_database) as client:
        thread = threading.Thread(target=lambda: answers.append(client.put("/v1/products", json=body)))
        with own_database.connect(None) as conn, conn.begin():
            conn.execute(text("delete from shop.product where sku = 'sku 7'"))
            thread.start()
            wait_until(waits_for_the_lock, 30, "the write waits")
        thread.join()
    [outcome] = answers[0].raise_for_status().json()["products"]
    assert (outcome["status"], outcome["reason"][:13]) == ("inserted", 'image "7.png"')
    with own_database.connect(None) as conn:
        assert conn.scalar(text("select count(*) from shop.product_image where uri = '7.png'")) == 0


def test_an_export_that_is_loaded_elsewhere_keeps_its_images(
    serve: Serve, own_database: Database, tmp_path: Path
) -> None:
    """A load looks for the images in the folder of the catalog file. If an image is not there, the load keeps the
    folder that is stored for the image."""

    def images() -> list[Any]:
        with own_database.connect(None) as conn:
            order = "select * from shop.product_image order by product_id, position"
            return [tuple(row) for row in conn.execute(text(order))]

    with serve(own_database) as client:
        exported, before = lines(client), images()
    (tmp_path / "export.jsonl").write_text("".join(json.dumps(product) + "\n" for product in exported))
    summary = load_catalog(own_database, tmp_path / "export.jsonl")
    assert (summary.unchanged, summary.images) == (PRODUCTS, 0)
    assert images() == before
    Drawing.new("RGB", (20, 20)).save(tmp_path / "7.png")
    assert load_catalog(own_database, tmp_path / "export.jsonl").images == 1  # 7.png is in the folder now
    assert len(set(images()) - set(before)) == 1
