"""Every role may take any advisory lock, and an open transaction holds locks on the tables that it has read. Such locks
of an analyst stop no query and no housekeeping, do not count as a running encoder, and do not prevent the locks of an
upgrade or an index build.

To test other locks, add a row to HELD: a name, and the statements with which the analyst's session takes the locks.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection

from db.errors import EncoderUnavailable
from db.locks import Lock, hold
from db.roles import Role
from db.work import requests
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from tests.support.shop import Shop

KEYS = (740_000, 740_001, *Lock)
# Earlier versions locked 740000 together with the id of a model, and 740001 together with the id of a request.
PAIRS = "generate_series(0, 40) n, unnest(array[{}]) key".format(", ".join(str(int(key)) for key in KEYS))
HELD = [
    ("exclusive locks of one key", [f"select pg_advisory_lock({int(key)})" for key in KEYS]),
    ("shared locks of one key", [f"select pg_advisory_lock_shared({int(key)})" for key in KEYS]),
    ("exclusive locks of two keys", [f"select pg_advisory_lock(key, n) from {PAIRS}"]),
    ("shared locks of two keys", [f"select pg_advisory_lock_shared(key, n) from {PAIRS}"]),
    (
        "an open transaction that has read three tables",
        ["begin isolation level repeatable read", "select count(*) from shop.product, shop.model, shop.common_word"],
    ),
]


@pytest.fixture(params=[statements for _, statements in HELD], ids=[name for name, _ in HELD])
def held(shop: "Shop", request: pytest.FixtureRequest) -> Iterator[Connection]:
    with shop.database.connect(Role.ANALYST) as conn:
        conn = conn.execution_options(isolation_level="AUTOCOMMIT")
        for statement in request.param:
            conn.exec_driver_sql(statement)
        yield conn


def ask(shop: "Shop") -> Callable[[], object]:
    conn = shop.connect(Role.ANALYST)
    conn.exec_driver_sql("set shop.timeout_ms = 10000")
    return lambda: conn.exec_driver_sql("select vector_dims(shop.clip_text('a new query'))").scalar()


@pytest.mark.usefixtures("held")
def test_a_held_lock_stops_no_query(shop: "Shop") -> None:
    with shop.encoder():
        assert ask(shop)() == 24


@pytest.mark.usefixtures("held")
def test_a_held_lock_does_not_count_as_a_running_encoder(shop: "Shop") -> None:
    with pytest.raises(EncoderUnavailable, match="no encoder is connected") as raised:
        ask(shop)()
    assert raised.value.sqlstate == "WS001"


@pytest.mark.usefixtures("held")
def test_a_held_lock_does_not_prevent_the_locks_of_an_upgrade_and_an_index_build(shop: "Shop") -> None:
    with shop.database.connect(None) as conn:
        for lock in Lock:
            assert hold(conn, lock, shop.database.roles.owner)


@pytest.mark.usefixtures("held")
def test_a_held_lock_does_not_stop_the_refresh_of_common_words(shop: "Shop") -> None:
    shop.run("insert into shop.common_word (word, share) values ('outdated', 0.5)")
    with requests.connect(shop.database) as conn:
        conn.execute("set lock_timeout = '5s'")
        requests.housekeep(conn, 1000)
    assert shop.run("select word from shop.common_word where word = 'outdated'") == []


@pytest.mark.parametrize("lock", list(Lock))
def test_a_lock_that_a_session_with_the_owners_rights_holds_is_respected(shop: "Shop", lock: Lock) -> None:
    owner = shop.database.roles.owner
    with shop.database.connect(None) as first, shop.database.connect(None) as second:
        assert hold(first, lock, owner)
        assert not hold(second, lock, owner)
        first.rollback()
        first.invalidate()  # ends the session, and so its lock
    with shop.database.connect(None) as third:
        wait_until(lambda: hold(third, lock, owner), 30, "the end of the first session")


def test_an_encoder_is_dead_if_its_session_has_ended_or_not_reported_for_30_seconds(shop: "Shop") -> None:
    alive = "select shop_private.encoder_alive(1::smallint)"
    with requests.connect(shop.database) as conn:
        requests.report_alive(conn, [1])
        assert shop.value(alive)
        assert not shop.value("select shop_private.encoder_alive(2::smallint)")
        shop.run("update shop_private.query_lane set reported_at = reported_at - interval '31 seconds'")
        assert not shop.value(alive)
        requests.report_alive(conn, [1])
        assert shop.value(alive)
    wait_until(lambda: not shop.value(alive), 30, "the end of the encoder's session")


@pytest.mark.parametrize("role", [Role.ANALYST, Role.APP, Role.GATEWAY])
def test_a_row_of_a_session_without_the_encoders_role_does_not_count_as_an_encoder(shop: "Shop", role: Role) -> None:
    conn = shop.connect(role)
    shop.run(
        "insert into shop_private.query_lane (backend_pid, models, reported_at) values (:pid, '{1}', now())",
        pid=conn.exec_driver_sql("select pg_backend_pid()").scalar(),
    )
    assert not shop.value("select shop_private.encoder_alive(1::smallint)")
