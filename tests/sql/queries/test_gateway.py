"""shop.clip_text and shop.clip_image send a query through the gateway to an encoder and return its vector.

If the query cannot be encoded, the functions raise an error with the reason, at the latest soon after the time in
shop.timeout_ms has passed.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, text

from db.engine import Database
from db.errors import EncoderUnavailable, StatementRefused
from db.roles import Role
from db.work import requests
from tests.support.processes import wait_until
from tests.support.timing import quickest

if TYPE_CHECKING:
    from tests.support.shop import Shop

ASK = "select vector_dims(shop.clip_text('{}'))"


@pytest.fixture
def analyst(shop: "Shop") -> Connection:
    return shop.connect(Role.ANALYST)


def ask(conn: Connection, query: str) -> int:
    return int(conn.execute(text(ASK.format(query))).scalar_one())


def gateways(shop: "Shop") -> list[int]:
    rows = shop.run(
        "select pid from pg_stat_activity where application_name = 'windowshop gateway' "
        "and datname = current_database()"
    )
    return [row.pid for row in rows]


def waiting_requests(shop: "Shop") -> int:
    return int(shop.value("select count(*) from shop_private.request"))


def test_a_new_query_is_encoded_and_a_cached_query_needs_no_encoder(shop: "Shop", analyst: Connection) -> None:
    with shop.encoder():
        assert ask(analyst, "red bag") == 24
    assert ask(analyst, "red bag") == 24
    other = shop.connect(Role.ANALYST)
    before = gateways(shop)
    assert ask(other, "red bag") == 24
    assert gateways(shop) == before  # a cached query opens no connection
    assert waiting_requests(shop) == 0


def test_only_sessions_with_client_min_messages_debug1_receive_cache_notices(shop: "Shop", analyst: Connection) -> None:
    raw = analyst.connection.driver_connection
    assert raw is not None
    said: list[str | None] = []
    raw.add_notice_handler(lambda notice: said.append(notice.message_primary))
    with shop.encoder():
        ask(analyst, "first")
        assert said == []
        analyst.exec_driver_sql("set client_min_messages = debug1")
        ask(analyst, "first")
        ask(analyst, "second")
    assert [message for message in said if "query vector" in str(message)] == [
        "query vector: cached",
        "query vector: to be encoded",
    ]


def test_encoding_null_returns_null(shop: "Shop", analyst: Connection) -> None:
    [row] = analyst.execute(text("select shop.clip_text(null), shop.clip_image(null)")).all()
    assert tuple(row) == (None, None)


def test_a_text_and_an_image_with_equal_bytes_are_two_queries(shop: "Shop", analyst: Connection) -> None:
    with shop.encoder():
        analyst.execute(text("select shop.clip_text('abc'), shop.clip_image('abc')"))
    assert shop.run("select query from shop_private.query_embedding order by 1") == [("abc",), (None,)]


def test_a_session_uses_one_gateway_connection_for_all_its_queries(shop: "Shop", analyst: Connection) -> None:
    with shop.encoder():
        for n in range(5):
            ask(analyst, f"query {n}")
        assert len(gateways(shop)) == 1
        analyst.close()
        wait_until(lambda: gateways(shop) == [], 60, "the gateway connection to end with its session")


def test_an_uncorrelated_subquery_encodes_its_text_once_per_statement(shop: "Shop", analyst: Connection) -> None:
    shop.add(*(f"sku {n}" for n in range(50)))
    shop.encode_all()
    with shop.encoder():
        rows = analyst.execute(
            text(
                "select sku from shop.searchable order by image_embedding <=> (select shop.clip_text('once')) limit 10"
            )
        ).all()
    assert len(rows) == 10
    assert shop.run("select query, asked from shop_private.query_embedding") == [("once", 1)]


def test_the_same_text_from_many_sessions_is_cached_once(shop: "Shop", together: Callable[..., list[Any]]) -> None:
    sessions = [shop.connect(Role.ANALYST) for _ in range(6)]
    with shop.encoder():
        answers = together(*(lambda conn=conn: conn.scalar(text("select shop.clip_text('same')")) for conn in sessions))
    assert len(set(answers)) == 1
    [row] = shop.run("select query, asked from shop_private.query_embedding")
    assert row.query == "same"
    assert 1 <= row.asked <= 6


@pytest.mark.parametrize(
    "begin",
    ["begin read only", "begin isolation level repeatable read", "begin isolation level serializable read only"],
)
def test_a_new_query_is_encoded_inside_a_read_only_or_repeatable_read_transaction(
    shop: "Shop", analyst: Connection, begin: str
) -> None:
    with shop.encoder():
        analyst.exec_driver_sql(begin)
        analyst.exec_driver_sql("select count(*) from shop.product")  # the transaction takes its snapshot here
        for query in ("one", "two", "one"):
            assert ask(analyst, query) == 24
        analyst.exec_driver_sql("commit")


def test_without_an_encoder_an_error_within_1500_ms_names_the_cause(shop: "Shop", analyst: Connection) -> None:
    def fail() -> None:
        with pytest.raises(EncoderUnavailable, match="no encoder is connected") as raised:
            ask(analyst, "nobody there")
        assert raised.value.sqlstate == "WS001"

    assert quickest(1.5, fail) < 1.5
    assert waiting_requests(shop) == 0


def test_a_query_to_a_hung_encoder_fails_after_shop_timeout_ms(shop: "Shop", analyst: Connection) -> None:
    analyst.exec_driver_sql("set shop.timeout_ms = 700")

    def fail() -> None:
        with pytest.raises(EncoderUnavailable, match="within 700 ms") as raised:
            ask(analyst, "hung")
        assert raised.value.sqlstate == "WS002"
        assert "shop.timeout_ms" in (raised.value.hint or "")

    with shop.encoder(answers=False):
        assert 0.6 < quickest(1.7, fail) < 1.7
    assert waiting_requests(shop) == 0


def test_a_query_that_a_hung_encoder_has_claimed_fails_after_shop_timeout_ms(shop: "Shop", analyst: Connection) -> None:
    analyst.exec_driver_sql("set shop.timeout_ms = 700")
    stop, claimed = threading.Event(), threading.Event()

    def hang() -> None:
        with requests.connect(shop.database) as conn:
            requests.report_alive(conn, [1])
            while not claimed.is_set() and not stop.is_set():
                if requests.begin(conn, [1], 10):
                    claimed.set()
                else:
                    requests.finish(conn)
            stop.wait(10)

    thread = threading.Thread(target=hang)
    thread.start()
    try:
        with pytest.raises(EncoderUnavailable, match="within 700 ms"):
            ask(analyst, "hung")
        assert claimed.is_set()
    finally:
        stop.set()
        thread.join()
    with shop.encoder():  # the session stays usable
        assert ask(analyst, "next") == 24


def test_a_query_that_the_model_cannot_encode_fails_and_the_session_stays_usable(
    shop: "Shop", analyst: Connection
) -> None:
    stop = threading.Event()

    def refuse() -> None:
        with requests.connect(shop.database) as conn:
            requests.report_alive(conn, [1])
            while not stop.is_set():
                claimed = requests.begin(conn, [1], 10)
                requests.finish(conn, refusals=[(one.id, "the model failed on this query") for one in claimed])
                time.sleep(0.005)

    thread = threading.Thread(target=refuse)
    thread.start()
    try:
        with pytest.raises(EncoderUnavailable, match="the model failed on this query") as raised:
            ask(analyst, "bad")
        assert raised.value.sqlstate == "WS003"
    finally:
        stop.set()
        thread.join()
    assert waiting_requests(shop) == 0
    with shop.encoder():
        assert ask(analyst, "good") == 24


def test_a_statement_timeout_ends_the_wait_for_a_vector_and_the_next_query_is_encoded(
    shop: "Shop", analyst: Connection
) -> None:
    with shop.encoder(answers=False):
        analyst.exec_driver_sql("set statement_timeout = '300ms'")

        def wait() -> None:
            with pytest.raises(StatementRefused, match="statement timeout"):
                ask(analyst, "slow")

        assert quickest(1.0, wait) < 1.0
        analyst.exec_driver_sql("set statement_timeout = '30s'")
    with shop.encoder():
        assert ask(analyst, "quick") == 24


def test_a_cancel_request_ends_the_wait_for_a_vector_and_the_next_query_is_encoded(
    shop: "Shop", analyst: Connection
) -> None:
    pid = analyst.scalar(text("select pg_backend_pid()"))
    with shop.encoder(answers=False):
        analyst.exec_driver_sql("set shop.timeout_ms = 60000")
        timer = threading.Timer(0.3, lambda: shop.run("select pg_cancel_backend(:pid)", pid=pid))
        timer.start()
        with pytest.raises(StatementRefused, match="user request"):  # not the error that follows after 60 s
            ask(analyst, "slow")
        timer.join()
    with shop.encoder():
        assert ask(analyst, "quick") == 24


def test_a_terminated_gateway_connection_is_replaced(shop: "Shop", analyst: Connection) -> None:
    with shop.encoder():
        ask(analyst, "one")
        [pid] = gateways(shop)
        shop.run("select pg_terminate_backend(:pid, 5000)", pid=pid)
        assert ask(analyst, "two") == 24
        assert gateways(shop) not in ([], [pid])


def test_the_1001st_waiting_request_is_refused_within_half_a_second(shop: "Shop", analyst: Connection) -> None:
    shop.run(
        "insert into shop_private.request (model_id, key, kind, payload) "
        "select 1, int4send(n), 't', int4send(n) from generate_series(1, 1000) n"
    )

    def fail() -> None:
        with pytest.raises(EncoderUnavailable, match="1000 queries already wait") as raised:
            ask(analyst, "one too many")
        assert raised.value.sqlstate == "WS004"

    with shop.encoder(answers=False):
        assert quickest(0.5, fail) < 0.5
    assert waiting_requests(shop) == 1000


@pytest.fixture
def _no_free_gateway(shop: "Shop") -> Iterator[None]:
    limit = shop.value("select rolconnlimit from pg_roles where rolname = 'shop_gateway'")
    shop.run("alter role shop_gateway connection limit 0")
    yield
    shop.run(f"alter role shop_gateway connection limit {limit}")


@pytest.mark.usefixtures("_no_free_gateway")
def test_the_error_says_that_every_gateway_connection_is_in_use(shop: "Shop", analyst: Connection) -> None:
    shop.cache("known")
    with pytest.raises(EncoderUnavailable, match="no free connection") as raised:
        ask(analyst, "new")
    assert raised.value.sqlstate == "WS004"
    assert ask(analyst, "known") == 24  # a cached query needs no connection


def test_the_hint_names_the_setting_of_the_gateways_address_if_the_gateway_cannot_connect(
    shop: "Shop", analyst: Connection
) -> None:
    port = shop.value("select current_setting('port')")
    shop.run("alter server shop_primary options (set port '1')")
    try:
        with pytest.raises(EncoderUnavailable, match="cannot reach the database server") as raised:
            ask(analyst, "new")
        assert raised.value.sqlstate == "WS004"
        assert "WINDOWSHOP_GATEWAY_HOST" in (raised.value.hint or "")
    finally:
        shop.run(f"alter server shop_primary options (set port '{port}')")


def test_without_a_serving_model_the_hint_names_windowshop_model_add(database: Database) -> None:
    for function in ("clip_text", "clip_image"):
        with database.connect(Role.ANALYST) as conn:
            with pytest.raises(EncoderUnavailable, match="no model is serving") as raised:
                conn.execute(text(f"select shop.{function}('a')"))
            assert raised.value.sqlstate == "WS005"
            assert "windowshop model add" in (raised.value.hint or "")
            conn.rollback()
            assert conn.scalar(text("select count(*) from shop.searchable")) == 0


@pytest.mark.parametrize(
    "query",
    ["'; drop table shop.product; --", "100% ​zero-width", "\U0001f9d1‍\U0001f9b0", "مرحبا", "$$ $1 %s %L {}"],
)
def test_texts_with_special_characters_reach_the_encoder_unchanged(
    shop: "Shop", analyst: Connection, query: str
) -> None:
    with shop.encoder():
        assert analyst.scalar(text("select vector_dims(shop.clip_text(:query))"), {"query": query}) == 24
    assert shop.run("select query from shop_private.query_embedding") == [(query,)]


@pytest.mark.parametrize(("function", "empty"), [("clip_text", "''"), ("clip_text", r"E' \n\t'"), ("clip_image", "''")])
def test_an_empty_query_is_rejected_before_it_is_queued(
    shop: "Shop", analyst: Connection, function: str, empty: str
) -> None:
    with pytest.raises(StatementRefused, match="empty"):
        analyst.exec_driver_sql(f"select shop.{function}({empty})")
    assert gateways(shop) == []
