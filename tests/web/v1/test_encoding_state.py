"""A write can wait until its products are encoded. The encoding state tells which parts of a product wait, and why a
part is in quarantine."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db import api_keys
from db.engine import Database
from tests.support.processes import wait_until
from tests.support.web_service import SETTINGS, Serve, served
from web.api import waiting


@pytest.fixture
def client(serve: Serve, own_database: Database, image_folder: Any) -> Iterator[httpx.Client]:
    with serve(own_database, image_root=image_folder) as client:
        yield client


def patch(client: httpx.Client, sku: str, body: Any, **params: Any) -> httpx.Response:
    return client.patch(f"/v1/products/{sku}", json=body, params=params)


def until_stored(database: Database, condition: str) -> None:
    with database.connect(None) as conn:
        statement = text(f"select exists (select from shop.product where {condition})")
        wait_until(lambda: conn.scalar(statement), 30, "product is stored")


def test_the_encoding_state_names_what_waits_and_why_an_item_is_quarantined(
    client: httpx.Client, own_database: Database
) -> None:
    def state() -> tuple[str, list[tuple[str, str, str | None]]]:
        answer = client.get("/v1/products/sku 1/encoding").raise_for_status().json()
        return answer["state"], [(part["part"], part["state"], part["reason"]) for part in answer["parts"]]

    def work(statement: str) -> None:
        with own_database.connect(None) as conn, conn.begin():
            conn.execute(text(f"{statement} and product_id = shop.product_id('sku 1', 'main')"))

    assert state() == ("waiting", [("title", "waiting", None), ("image", "waiting", None)])
    work("update shop_private.work set state = 'quarantined', error = '1.png: a damaged image' where part = 'image'")
    assert state()[0] == "waiting"
    work("delete from shop_private.work where part = 'title'")
    assert state() == ("quarantined", [("title", "done", None), ("image", "quarantined", "1.png: a damaged image")])
    work("delete from shop_private.work where true")
    assert state() == ("done", [("title", "done", None), ("image", "done", None)])
    assert client.get("/v1/products/nobody/encoding").status_code == 404


def test_a_key_without_the_scope_write_gets_no_path_and_no_error_of_an_image(own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        keys = [api_keys.create(conn, scope, [scope]) for scope in ("write", "search")]
        conn.execute(text("update shop_private.work set state = 'quarantined', error = '/srv/1.png: damaged'"))
    image: dict[str, Any] = {"part": "image", "position": 0, "state": "quarantined"}
    with served(own_database, SETTINGS.model_copy(update={"api_keys": "on"})) as client:
        for key, shown in zip(keys, (("1.png", "/srv/1.png: damaged"), (None, None)), strict=True):
            answer = client.get("/v1/products/sku 1/encoding", headers={"Authorization": f"Bearer {key}"})
            assert answer.json()["parts"][1] == image | dict(zip(("uri", "reason"), shown, strict=True))


def test_a_write_waits_until_its_products_are_encoded(client: httpx.Client, own_database: Database) -> None:
    def encode() -> None:
        until_stored(own_database, "sku = 'W-1'")
        with own_database.connect(None) as conn, conn.begin():
            conn.execute(text("delete from shop_private.work where product_id = shop.product_id('W-1', 'main')"))
            conn.execute(text("update shop_private.work set state = 'quarantined', error = 'broken'"))

    thread = threading.Thread(target=encode)
    thread.start()
    body = {"products": [{"sku": "W-1", "title": "new"}, {"sku": "W-2", "title": "new"}, {"sku": "W-3", "title": ""}]}
    outcomes = client.put("/v1/products?wait=30", json=body).json()["products"]
    thread.join()
    assert [outcome.get("encoding") for outcome in outcomes] == ["done", "quarantined", None]
    began = time.monotonic()
    assert patch(client, "W-1", {"title": "newer"}, wait=1).json()["encoding"] == "waiting"
    assert time.monotonic() - began >= 1
    assert client.put("/v1/products?wait=61", json=body).status_code == 422
    assert "encoding" not in client.put("/v1/products", json=body).json()["products"][0]


def test_a_waiting_write_is_answered_although_the_work_list_is_unreadable_for_a_moment(
    client: httpx.Client, own_database: Database
) -> None:
    def interrupt() -> None:
        until_stored(own_database, "title = 'newer'")
        with own_database.connect(None) as conn:
            hide, show = "work rename to hidden", "hidden rename to work"
            for statement in (
                f"alter table shop_private.{hide}",
                f"alter table shop_private.{show}",
                "delete from shop_private.work",
            ):
                with conn.begin():
                    conn.execute(text(statement))
                time.sleep(0.4)

    thread = threading.Thread(target=interrupt)
    thread.start()
    answer = patch(client, "sku 1", {"title": "newer"}, wait=20)
    thread.join()
    assert (answer.status_code, answer.json()["encoding"]) == (200, "done")


def test_a_request_beyond_the_limit_of_waiting_requests_reads_the_work_list_once(
    monkeypatch: pytest.MonkeyPatch, serve: Serve, own_database: Database
) -> None:
    monkeypatch.setattr(waiting, "MAX_WAITERS", 1)
    with serve(own_database) as client:
        thread = threading.Thread(target=lambda: patch(client, "sku 1", {"title": "newer"}, wait=30))
        thread.start()
        until_stored(own_database, "title = 'newer'")
        answer = patch(client, "sku 2", {"title": "newer"}, wait=60)
        assert answer.json()["encoding"] == "waiting"
        assert thread.is_alive()
        with own_database.connect(None) as conn, conn.begin():
            conn.execute(text("delete from shop_private.work"))
        thread.join()
