"""A query vector is compared only with vectors of its own model, also during a switch to another model."""

import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import Connection, text

from db.errors import DatabaseError
from db.lifecycle.promotion import promote, rollback
from db.roles import Role
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from tests.support.shop import Shop

PRODUCTS = 40
MODELS = {"toy": (1, 24), "wide": (2, 40), "turned": (3, 24)}
ANSWERS = {"toy": "s3", "wide": "s5", "turned": "s7"}  # maps each model to the product nearest to the query "bag"

NEAREST = (
    "select sku, image_embedding <=> {v} as distance from shop.searchable order by image_embedding <=> {v} limit 1"
)
SEARCH = (
    "select sku, image_distance as distance from shop.search('bag', k => 1, title_weight => 0, keyword_weight => 0)"
)
Answer = tuple[str, float]


def fill(shop: "Shop") -> None:
    """Stores the vectors of the products and of the query "bag" for three models. The vectors of `turned` are the
    vectors of `toy`, rotated. So a query vector of `toy` has the dimension of `turned`, but would find wrong products
    among the vectors of `turned`."""
    chance = np.random.default_rng(8)
    spaces = {name: chance.standard_normal((PRODUCTS, dimension)) for name, (_, dimension) in MODELS.items()}
    spaces["turned"] = spaces["toy"] @ np.linalg.qr(chance.standard_normal((24, 24)))[0]
    shop.add(*(f"s{n}" for n in range(PRODUCTS)))
    for name, space in spaces.items():
        model_id, _ = MODELS[name]
        unit = (space / np.linalg.norm(space, axis=1, keepdims=True)).astype(np.float32)
        worker = shop.worker(model_id=model_id)
        for part in ("title", "image"):
            items = worker.claim(part, PRODUCTS)
            rows = [int(item.title.removeprefix("title of s")) for item in items]
            worker.complete(items, part, unit[rows])
        worker.release()
        shop.run(
            "insert into shop_private.query_embedding (model_id, key, query, embedding) values "
            "(:model, sha256(convert_to('tbag', 'UTF8')), 'bag', cast(:vector as halfvec))",
            model=model_id,
            vector=str(unit[int(ANSWERS[name][1:])].tolist()),
        )


def plain(conn: Connection) -> list[Answer]:
    return [one(conn, NEAREST.format(v="(select shop.clip_text('bag'))"))]


def searched(conn: Connection) -> list[Answer]:
    return [one(conn, SEARCH)]


def prepared(conn: Connection) -> list[Answer]:
    if not conn.scalar(text("select count(*) from pg_prepared_statements where name = 'nearest'")):
        conn.exec_driver_sql("set plan_cache_mode = force_generic_plan")
        conn.exec_driver_sql(f"prepare nearest(text) as {NEAREST.format(v='(select shop.clip_text($1))')}")
        conn.exec_driver_sql(f"prepare searched as {SEARCH}")
    return [one(conn, "execute nearest('bag')"), one(conn, "execute searched")][random.randrange(2) :][:1]


def in_a_snapshot(conn: Connection) -> list[Answer]:
    with transaction(conn, "repeatable read"):
        conn.exec_driver_sql("select count(*) from shop.product")  # the transaction takes its snapshot here
        return [*plain(conn), *searched(conn), *plain(conn)]


def keeping_the_vector(conn: Connection) -> list[Answer]:
    """Encodes the query in the first statement of a transaction. Later statements search with this vector and with the
    text, as a PL/pgSQL function can do."""
    with transaction(conn, "read committed"):
        vector = conn.scalar(text("select shop.clip_text('bag')::text"))
        return [one(conn, NEAREST.format(v=f"'{vector}'")), *searched(conn)]


class transaction:  # noqa: N801  used in a with statement
    """Runs one transaction on an autocommit connection and rolls back the transaction at the end."""

    def __init__(self, conn: Connection, level: str) -> None:
        self._conn, self._level = conn, level

    def __enter__(self) -> None:
        self._conn.exec_driver_sql(f"begin isolation level {self._level}")

    def __exit__(self, *_: object) -> None:
        self._conn.exec_driver_sql("rollback")


def one(conn: Connection, statement: str) -> Answer:
    row = conn.exec_driver_sql(statement).one()
    return str(row.sku), float(row.distance)


@pytest.mark.parametrize("others", [("wide",), ("turned",), ("wide", "turned")])
def test_searches_during_switches_continue_and_never_mix_models(three_models: "Shop", others: tuple[str, ...]) -> None:
    shop, stop = three_models, threading.Event()
    fill(shop)
    seen: dict[str, list[list[Answer]]] = {}
    errors: list[BaseException] = []

    def ask(asking: Callable[[Connection], list[Answer]], pause: float) -> None:
        answers = seen.setdefault(asking.__name__, [])
        conn = shop.connect(Role.ANALYST)
        conn.exec_driver_sql("set lock_timeout = '5s'")  # a search that waits longer than 5 s for a lock fails
        while not stop.wait(pause):
            try:
                answers.append(asking(conn))
            except BaseException as error:
                errors.append(error)
                return

    askers = [
        threading.Thread(target=ask, args=(each, 0 if each is searched else 0.005))
        for each in (plain, searched, prepared, in_a_snapshot, keeping_the_vector)
    ]
    for asker in askers:
        asker.start()
    expected = {ANSWERS[name] for name in ("toy", *others)}

    def enough() -> bool:
        answered = {answer[0][0] for answers in list(seen.values()) for answer in list(answers)}
        return len(seen) == len(askers) and min(map(len, seen.values())) >= 20 and answered == expected

    until, switches = time.monotonic() + 60, 0
    try:
        while errors == [] and time.monotonic() < until and (switches < 12 or not enough()):
            promote(shop.database, others[switches // 2 % len(others)], force=True)
            time.sleep(0.05)
            rollback(shop.database, force=True)
            time.sleep(0.05)
            switches += 2
    finally:
        stop.set()
        for asker in askers:
            asker.join()
    assert errors == []
    print(f"{switches} switches, {sum(map(len, seen.values()))} answers")
    for who, answers in seen.items():
        assert len(answers) >= 20, who
        for answer in answers:
            assert len({sku for sku, _ in answer}) == 1, who  # the model stays the same within a transaction
            assert answer[0][0] in expected, who
            assert all(abs(distance) < 0.001 for _, distance in answer), who
    assert {answer[0][0] for answers in seen.values() for answer in answers} == expected  # each model gave answers


def test_a_switch_waits_for_a_transaction_that_has_used_the_serving_model(three_models: "Shop") -> None:
    fill(three_models)
    for first in ("shop.clip_text('bag')", "shop.product_vector('s1')", "shop_private.serving()"):
        conn = three_models.connect(Role.ANALYST)
        with transaction(conn, "read committed"):
            conn.exec_driver_sql(f"select {first}")
            admin = three_models.connect(None)
            admin.exec_driver_sql("set lock_timeout = '50ms'")
            with pytest.raises(DatabaseError, match="lock timeout"):
                admin.exec_driver_sql("select shop_private.serve_model('turned', true)")
        admin.exec_driver_sql("select shop_private.serve_model('turned', true)")
        admin.exec_driver_sql("select shop_private.serve_model('toy', true)")


@pytest.mark.parametrize("asking", [plain, searched, keeping_the_vector], ids=lambda each: each.__name__)
def test_a_query_that_waited_for_a_switch_is_answered_by_the_new_model(
    three_models: "Shop", asking: Callable[[Connection], list[Answer]]
) -> None:
    fill(three_models)
    conn, admin = three_models.connect(Role.ANALYST), three_models.connect(None)
    pid = conn.exec_driver_sql("select pg_backend_pid()").scalar_one()
    assert {sku for sku, _ in asking(conn)} == {"s3"}  # the session's cached plans belong to the old model
    answers: list[Answer] = []
    asker = threading.Thread(target=lambda: answers.extend(asking(conn)))
    with transaction(admin, "read committed"):
        admin.exec_driver_sql("select shop_private.serve_model('turned', true)")
        asker.start()
        waiting = f"select count(*) from pg_locks where pid = {pid} and not granted"
        wait_until(lambda: three_models.value(waiting), 60, "the query to wait for the switch")
        admin.exec_driver_sql("commit")
    asker.join()
    assert {sku for sku, _ in answers} == {"s7"}
    assert all(abs(distance) < 0.001 for _, distance in answers)
