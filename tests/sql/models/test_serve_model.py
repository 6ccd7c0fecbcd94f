"""A switch to another model changes views, functions and status in one transaction. Unless it is forced, the switch
is refused if no encoder runs for the new model or if items still wait to be encoded."""

import threading
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from db.errors import DatabaseError
from db.lifecycle.serving import serve_model
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop


def served(shop: "Shop") -> tuple[list[str], int]:
    """Returns the names of the serving models and the dimension of the vectors that searches use."""
    names = [row.name for row in shop.run("select name from shop.model where status = 'serving'")]
    return names, shop.value("select vector_dims(image_embedding) from shop.searchable limit 1")


def fill(shop: "Shop") -> None:
    shop.add(*(f"sku {n}" for n in range(10)))
    shop.encode_all(1, 24)
    shop.encode_all(2, 40)
    for model_id, dimension in ((1, 24), (2, 40)):
        shop.cache("bag", model_id, dimension)


def test_views_and_functions_use_the_dimension_of_the_serving_model_after_each_switch(two_models: "Shop") -> None:
    fill(two_models)
    for name, dimension in (("wide", 40), ("toy", 24)):
        serve_model(two_models.database, name, force=True)
        assert served(two_models) == ([name], dimension)
        with two_models.database.connect(Role.ANALYST) as conn:
            assert conn.scalar(text("select vector_dims(shop.clip_text('bag'))")) == dimension
            assert conn.scalar(text("select vector_dims(shop.product_vector('sku 1'))")) == dimension
            for view in ("searchable", "searchable_image"):
                nearest = f"select 1 from shop.{view} order by image_embedding <=> (select shop.clip_text('bag'))"
                assert len(conn.execute(text(nearest)).all()) == 10


def test_a_model_without_a_running_encoder_is_refused(two_models: "Shop") -> None:
    fill(two_models)
    with two_models.encoder(1), pytest.raises(DatabaseError, match="no encoder is running for model 'wide'"):
        serve_model(two_models.database, "wide")
    assert served(two_models) == (["toy"], 24)


def test_a_model_with_items_to_encode_is_refused(two_models: "Shop") -> None:
    fill(two_models)
    two_models.add("new one")
    with (
        two_models.encoder(2, dimension=40),
        pytest.raises(DatabaseError, match="'wide' still has 2 items to encode"),
    ):
        serve_model(two_models.database, "wide")
    assert served(two_models) == (["toy"], 24)


def test_quarantined_items_do_not_prevent_a_switch(two_models: "Shop") -> None:
    fill(two_models)
    two_models.add("bad")
    worker = two_models.worker(model_id=2)
    for part in ("title", "image"):
        for item in worker.claim(part):
            worker.fail(item, part=part, final=True)
    with two_models.encoder(2, dimension=40):
        serve_model(two_models.database, "wide")
    assert served(two_models) == (["wide"], 40)


def test_an_unknown_model_is_refused(two_models: "Shop") -> None:
    with pytest.raises(DatabaseError, match="no model 'nonesuch'") as raised:
        serve_model(two_models.database, "nonesuch", force=True)
    assert "windowshop model list" in (raised.value.hint or "")


def test_switching_to_the_serving_model_changes_nothing(two_models: "Shop") -> None:
    fill(two_models)
    serve_model(two_models.database, "toy")  # no encoder runs, but the model is already serving
    assert served(two_models) == (["toy"], 24)


def test_the_roles_analyst_and_app_and_encoder_cannot_switch_models(two_models: "Shop") -> None:
    for role in (Role.ANALYST, Role.APP, Role.ENCODER):
        with (
            two_models.database.connect(role) as conn,
            pytest.raises(DatabaseError, match="permission denied"),
        ):
            conn.execute(text("select shop_private.serve_model('wide', true)"))


def test_a_switch_waits_for_transactions_and_delays_searches_by_less_than_5_seconds(
    two_models: "Shop",
) -> None:
    fill(two_models)
    reader = two_models.connect(Role.ANALYST)
    reader.exec_driver_sql("begin")
    reader.exec_driver_sql("select count(*) from shop.searchable")
    switch = threading.Thread(target=lambda: serve_model(two_models.database, "wide", force=True))
    switch.start()
    slowest = 0.0
    with two_models.database.connect(Role.ANALYST) as other:
        other.execution_options(isolation_level="AUTOCOMMIT")
        until = time.monotonic() + 1.2
        while time.monotonic() < until:
            started = time.perf_counter()
            other.exec_driver_sql("select count(*) from shop.searchable")
            slowest = max(slowest, time.perf_counter() - started)
    assert switch.is_alive()
    assert slowest < 5  # seconds, with room for a busy machine
    reader.exec_driver_sql("commit")
    switch.join(60)
    assert served(two_models) == (["wide"], 40)


def test_a_statement_of_a_repeatable_read_transaction_never_mixes_two_models(two_models: "Shop") -> None:
    fill(two_models)
    stop = threading.Event()
    seen: set[tuple[int, int, int]] = set()
    errors: list[BaseException] = []
    look = (
        "select vector_dims(s.image_embedding), vector_dims(s.title_embedding), vector_dims(q.v), "
        "s.image_embedding <=> q.v from shop.searchable s, (select shop.clip_text('bag') as v offset 0) q limit 1"
    )

    def read() -> None:
        try:
            with two_models.database.connect(Role.ANALYST) as conn:
                conn.execution_options(isolation_level="AUTOCOMMIT")
                while not stop.is_set():
                    conn.exec_driver_sql("begin isolation level repeatable read")
                    conn.exec_driver_sql("select count(*) from shop.product")  # the transaction takes its snapshot here
                    time.sleep(0.01)
                    for _ in range(2):
                        seen.add(tuple(conn.exec_driver_sql(look).one())[:3])
                    conn.exec_driver_sql("commit")
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(4):
        serve_model(two_models.database, "wide", force=True)
        time.sleep(0.05)
        serve_model(two_models.database, "toy", force=True)
        time.sleep(0.05)
    stop.set()
    for reader in readers:
        reader.join()
    assert errors == []
    assert seen == {(24, 24, 24), (40, 40, 40)}


def test_a_prepared_statement_uses_the_new_model_after_a_switch(two_models: "Shop") -> None:
    fill(two_models)
    conn = two_models.connect(Role.ANALYST)
    conn.exec_driver_sql("set plan_cache_mode = force_generic_plan")
    conn.exec_driver_sql(
        "prepare nearest(text) as select vector_dims(image_embedding), vector_dims((select shop.clip_text($1))) "
        "from shop.searchable order by image_embedding <=> (select shop.clip_text($1)) limit 1"
    )
    for name, dimension in (("toy", 24), ("wide", 40), ("toy", 24)):
        serve_model(two_models.database, name, force=True)
        assert conn.exec_driver_sql("execute nearest('bag')").one() == (dimension, dimension)
