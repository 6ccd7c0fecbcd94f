"""An encoder claims the work items and queries of the serving model before those of other models."""

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from db.catalog.product import Product
from db.images.pixels import InputShape
from db.lifecycle.serving import serve_model
from db.roles import Role
from db.work import items as work
from db.work import requests
from encoder.lanes.catalog import CatalogLane
from encoder.settings import EncoderSettings

if TYPE_CHECKING:
    from tests.support.shop import Shop

MODEL: Any = SimpleNamespace(device="cpu", tower=SimpleNamespace(shape=InputShape(32, 32, "stretch")))


def test_items_of_the_serving_model_are_claimed_before_items_of_another_model(two_models: "Shop") -> None:
    shop = two_models
    shop.load(*(Product(f"s{n}", f"title {n}") for n in range(20)))
    stop, worker = threading.Event(), uuid4()
    lane = CatalogLane(worker, {1: MODEL, 2: MODEL}, EncoderSettings(title_batch=10))
    try:
        with shop.database.connect(Role.ENCODER) as conn:
            work.heartbeat(conn, worker, "host", 1, "cpu", 60)
            conn.commit()
            batches = lane.read(conn, stop, once=False)
            assert [next(batches).model_id for _ in range(3)] == [1, 1, 2]
            shop.load(Product("new", "while the other is filled"))
            assert next(batches).model_id == 1
            serve_model(shop.database, "wide", force=True)
            shop.load(*(Product(f"late {n}", f"after the switch {n}") for n in range(30)))
            assert [next(batches).model_id for _ in range(6)] == [2, 2, 2, 2, 2, 1]
            stop.set()
            batches.close()  # type: ignore[attr-defined]
    finally:
        lane.close()


def test_items_of_a_retired_model_are_not_claimed(two_models: "Shop") -> None:
    shop = two_models
    shop.load(Product("a", "title"))
    lane = CatalogLane(uuid4(), {1: MODEL, 2: MODEL}, EncoderSettings())
    shop.run("update shop.model set status = 'retired' where name = 'wide'")
    shop.encode_all(1)
    try:
        with shop.database.connect(Role.ENCODER) as conn:
            assert list(lane.read(conn, threading.Event(), once=True)) == []  # the retired model's item stays unclaimed
    finally:
        lane.close()


def test_vectors_of_a_model_that_is_retired_during_encoding_are_not_stored(two_models: "Shop") -> None:
    shop = two_models
    shop.add("a")
    worker = shop.worker(model_id=2)
    items = worker.claim("title")
    shop.run("update shop.model set status = 'retired' where name = 'wide'")
    assert worker.complete(items) == 0


def test_queries_of_the_serving_model_are_claimed_before_older_queries_of_another_model(two_models: "Shop") -> None:
    for model_id, key in ((2, "a"), (1, "b"), (2, "c"), (1, "d")):
        two_models.run(
            "insert into shop_private.request (model_id, key, kind, payload) "
            "values (:model, cast(:key as bytea), 't', 'x')",
            model=model_id,
            key=key,
        )
    with requests.connect(two_models.database) as conn:
        claimed = [request.key.decode() for request in requests.begin(conn, [1, 2], 3)]
        requests.finish(conn)
    assert claimed == ["b", "d", "a"]
