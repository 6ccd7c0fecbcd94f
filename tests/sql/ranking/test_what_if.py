"""shop.what_if shows the effect of changes on a suite of judged queries. It stores only the vectors of new texts."""

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection

from db.errors import DatabaseError
from db.roles import Role
from tests.sql.ranking.asking import QUERIES, RULE, SKUS, clean, view, what_if
from tests.support.judging import by_direction, judged, run
from tests.support.shop import Shop

KEPT = ("shop.product", "shop.rule", "shop.synonym", "shop.tuning", "shop.signal", "shop_private.work",
        "shop_private.webhook_note", "shop_private.watch_note", "shop_private.webhook_message")  # fmt: skip


def state(shop: Shop) -> dict[str, Any]:
    return {
        table: shop.value(f"select md5(string_agg(t::text || t.xmin, ';' order by t::text)) from {table} t")
        for table in KEPT
    } | {"functions": shop.value("select count(*) from pg_proc")}


CHANGES = [
    (RULE, {"shoes"}),
    ({"rule": {"name": "hide", "condition": {"always": True}, "action": {"hide": {"brand": "Nord"}}}}, set(QUERIES)),
    ({"rule": {"name": "reword", "condition": {"query": "shoes"}, "action": {"query": "warm winter coat"}}}, {"shoes"}),
    ({"synonym": {"terms": ["shoes", "s12"]}}, {"shoes", "red shoes"}),
    ({"weights": {"image_weight": 0, "title_weight": 0}}, set(QUERIES)),
    ({"signal": {"name": "stock", "weight": -5}}, set()),
    ({"signal": {"name": "cheap", "view": "erp.cheap", "key": "sku", "catalog": "main", "weight": 10}}, set(QUERIES)),
]


@pytest.mark.parametrize(("change", "queries"), CHANGES)
def test_a_change_affects_the_expected_pages_and_is_rolled_back(suite: Shop, change: Any, queries: set[str]) -> None:
    view(suite, "cheap", "select sku, -price as value from shop.product")
    for n, query in enumerate(("s12", "red s12")):
        suite.cache(query, seed=50 + n)
    before = state(suite)
    summary, *changed = what_if(suite.connect(Role.APP), change)
    assert {row.query for row in changed} == queries
    assert (summary.query, summary.queries, summary.judged, summary.changed) == (None, 3, 3, len(queries))
    assert state(suite) == before


def test_products_are_changed_only_for_the_searches_of_what_if(suite: Shop) -> None:
    app = suite.connect(Role.APP)
    before = state(suite)
    change = {"products": {"filter": {"brand": "Nord"}, "availability": "out_of_stock"}}
    _, *changed = what_if(app, {"signal": {"name": "stock", "weight": -10}}, change)
    assert {row.query for row in changed} == set(QUERIES)
    for row in changed:
        assert {int(sku[1:]) % 2 for sku in row.after[:7]} == {1}
    assert what_if(app, change)[0].changed == 0  # the signal has no weight
    assert state(suite) == before


def test_prices_are_set_or_multiplied(suite: Shop) -> None:
    app = suite.connect(Role.APP)
    cheap = {"rule": {"name": "cheap", "condition": {"always": True}, "action": {"filter": {"price": {"lt": 10}}}}}
    assert {row.after == [] for row in what_if(app, cheap)[1:]} == {True}
    for change in ({"price": 9.5}, {"price_factor": 0.5}):
        [row, *_] = what_if(app, cheap, {"products": {"filter": {"sku": "s3"}, **change}})[1:]
        assert row.after == ["s3"]


def test_rows_say_which_products_came_and_went_and_moved(suite: Shop) -> None:
    page = [row.sku for row in suite.run("select sku from shop.search('shoes') order by rank")]
    outside = min(set(SKUS) - set(page))
    change = {"rule": {**RULE["rule"], "action": {"pin": outside, "at": 9}}}
    _, row = what_if(suite.connect(Role.APP), change)
    assert (row.query, row.catalog, row.before) == ("shoes", "main", page)
    assert row.after == [*page[:8], outside, page[8]]
    assert (row.entered, row.gone, row.moved) == ([outside], [page[9]], [page[8]])
    _, row = what_if(suite.connect(Role.APP), {"rule": {**RULE["rule"], "action": {"pin": page[2], "at": 1}}}, k=3)
    assert (row.before, row.after) == (page[:3], [page[2], page[0], page[1]])
    assert sorted(row.moved) == sorted(page[:3])


def test_an_existing_rule_or_synonym_can_be_switched_off(suite: Shop) -> None:
    app = suite.connect(Role.APP)
    for table in ("rule", "synonym"):
        suite.run(f"delete from shop.{table}")
    suite.run("insert into shop.rule (name, condition, action, status) values "
              "('hide', '{\"always\": true}', '{\"hide\": {\"brand\": \"Alp\"}}', 'live')")  # fmt: skip
    for change in ({"rule": {"name": "hide", "status": "draft"}}, {"remove_rule": "hide"}):
        summary, *changed = what_if(app, change)
        assert summary.changed == 3
        assert all(row.entered and not any(int(sku[1:]) % 2 == 0 for sku in row.before) for row in changed)
    clean(suite)
    for n, query in enumerate(("s12", "red s12")):
        suite.cache(query, seed=50 + n)
    number = suite.value("insert into shop.synonym (terms) values ('{shoes, s12}') returning synonym_id")
    assert {row.query for row in what_if(app, {"remove_synonym": number})[1:]} == {"shoes", "red shoes"}


def test_the_figures_of_what_if_equal_those_of_an_evaluation(suite: Shop) -> None:
    judged(suite, ("red shoes", "gone", 3), ("shoes", "s2", 0), ("unknown", "gone", 2))
    suite.cache("unknown", seed=9)
    app, analyst = suite.connect(Role.APP), suite.connect(Role.ANALYST)
    hybrid = by_direction(run(analyst))["text->hybrid"]
    summary, *_ = what_if(app, {"weights": {"image_weight": 0.2}})
    assert (summary.queries, summary.judged) == (4, 3)
    assert summary.ndcg_before == pytest.approx(hybrid.column("nDCG@10").mean())
    assert summary.recall_before == pytest.approx(hybrid.column("recall@10").mean())
    suite.run("insert into shop.tuning (model_id, name, value) values (1, 'image_weight', 0.2)")
    hybrid = by_direction(run(analyst))["text->hybrid"]
    assert summary.ndcg_after == pytest.approx(hybrid.column("nDCG@10").mean())
    assert summary.recall_after == pytest.approx(hybrid.column("recall@10").mean())


MISTAKES: list[tuple[list[Any], dict[str, Any], str]] = [
    ([], {}, "changes must be an array of 1 to 100 changes"),
    ([RULE] * 101, {}, "changes must be an array of 1 to 100 changes"),
    ([{"discount": {}}], {}, "change 1: it must be an object with exactly one of rule, remove_rule, synonym"),
    ([RULE, {**RULE, "weights": {}}], {}, "change 2: it must be an object with exactly one of"),
    (["x"], {}, "change 1: it must be an object with exactly one of"),
    ([{"rule": {"name": "x", "when": {}}}], {}, "change 1: rule has no field 'when'; its fields are name, catalog"),
    ([{"rule": {"name": "x", "condition": {"never": 1}, "action": {}}}], {}, "rule 'x': the condition needs"),
    ([{"rule": {**RULE["rule"], "priority": "high"}}], {}, 'invalid input syntax for type integer: "high"'),
    ([{"rule": {"name": "x", "condition": "always", "action": 1}}], {}, "rule 'x': the condition needs exactly one of"),
    ([{"rule": {**RULE["rule"], "name": ""}}], {}, "change 1: the name of a rule must have 1 to 100"),
    ([{"rule": {**RULE["rule"], "name": "x" * 101}}], {}, "change 1: the name of a rule must have 1 to 100"),
    ([{"rule": {**RULE["rule"], "catalog": None}}], {}, "change 1: catalog must be a text"),
    ([{"rule": {**RULE["rule"], "priority": None}}], {}, "change 1: priority must be a number"),
    ([{"remove_rule": {"catalog": "main"}}], {}, "change 1: remove_rule must be the name"),
    ([{"remove_rule": {"name": "x", "id": 1}}], {}, "change 1: remove_rule has no field 'id'"),
    ([{"remove_rule": "x"}], {}, "there is no rule 'x'"),
    ([{"remove_synonym": 7}], {}, "there is no synonym 7"),
    ([{"remove_synonym": "x"}], {}, "change 1: remove_synonym must be the synonym_id"),
    ([{"synonym": {"terms": "x"}}], {}, "change 1: terms must be an array of texts"),
    ([{"synonym": {"terms": ["x"]}}], {}, "the synonym has 1 different terms"),
    ([{"synonym": {"terms": ["sofa", None]}}], {}, "null cannot be a term of a synonym"),
    ([{"weights": {"image_weight": "x"}}], {}, "change 1: weights must be numbers from 0 to 1000"),
    ([{"weights": {"image_weight": 0, "title_weight": 0, "keyword_weight": 0}}], {}, "every leg has weight 0"),
    ([{"signal": {"name": "x", "view": "nowhere"}}], {}, "nowhere"),
    ([{"products": {"filter": {}, "price": "cheap"}}], {}, "change 1: a price must be a number from 0"),
    ([{"products": {"filter": {}, "price": None}}], {}, "change 1: a price must be a number from 0"),
    ([{"products": {"filter": {}, "catalog": "none", "price": 1}}], {}, "there is no catalog 'none'"),
    ([{"weights": {"image_weight": -1}}], {}, "change 1: weights must be numbers from 0 to 1000"),
    ([{"weights": {}}], {}, "change 1: weights must be numbers from 0 to 1000"),
    ([{"signal": {"name": "x", "weight": 1}}], {}, "there is no signal 'x'"),
    ([{"signal": {"name": "stock", "weight": 11}}], {}, "change 1: the weight of a signal must be from -10 to"),
    ([{"products": {"filter": {"nope": 1}, "price": 1}}], {}, "nope"),
    ([{"products": {"filter": {}}}], {}, "change 1: products needs a price, a price_factor or an availability"),
    ([{"products": {"filter": {}, "price": -1}}], {}, "change 1: a price must be a number from 0"),
    ([{"products": {"filter": {}, "availability": "gone"}}], {}, "change 1: availability must be in_stock"),
    ([RULE], {"suite": "nobody"}, "suite 'nobody' has no judgements"),
    ([RULE], {"suite": None}, "suite null has no judgements"),
    ([RULE], {"k": 0}, "k is 0"),
]


def test_a_mistake_is_refused_with_a_reason_and_changes_nothing(suite: Shop) -> None:
    before, app = state(suite), suite.connect(Role.APP)
    for changes, more, message in MISTAKES:
        with pytest.raises(DatabaseError, match=message):
            what_if(app, *changes, **more)
    assert state(suite) == before


def test_a_change_of_more_than_10000_products_is_refused(suite: Shop) -> None:
    suite.run(
        "insert into shop.product (product_id, sku, title) "
        "select shop.product_id('more' || n, 'main'), 'more' || n, 'more' from generate_series(1, 10000) n"
    )
    with pytest.raises(DatabaseError, match="the changes affect more than 10000 products"):
        what_if(suite.connect(Role.APP), {"products": {"filter": {}, "price": 1}})


def test_what_if_needs_the_role_app_and_a_transaction_that_may_write(suite: Shop) -> None:
    for role in (Role.ANALYST, Role.WEB_READER, Role.ENCODER):
        with pytest.raises(DatabaseError, match="permission denied for function what_if"):
            what_if(suite.connect(role), RULE)
    with suite.database.connect(Role.APP) as app, app.begin():
        app.exec_driver_sql("set transaction read only")
        with pytest.raises(DatabaseError, match="needs a transaction that may write"):
            what_if(app, RULE)


def test_triggers_of_the_changed_tables_have_no_effect(suite: Shop) -> None:
    """A trigger of the site sends a notification and inserts a row for each changed product. Both are rolled back."""
    suite.run("create table public.outbox (sku text)")
    suite.run(
        "create function public.tell() returns trigger language plpgsql security definer as $$ begin "
        "insert into public.outbox values (new.sku); perform pg_notify('prices', new.sku); return null; end $$"
    )
    suite.run("create trigger tell after update on shop.product for each row execute function public.tell()")
    address = suite.database.write.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(address, autocommit=True) as listener:
            listener.execute("listen prices")
            what_if(suite.connect(Role.APP), {"products": {"filter": {}, "price": 1}})
            suite.run("select pg_notify('prices', 'end')")
            assert [note.payload for note in listener.notifies(timeout=30, stop_after=1)] == ["end"]
        assert suite.run("select * from public.outbox") == []
    finally:
        suite.run("drop trigger tell on shop.product")
        suite.run("drop function public.tell()")
        suite.run("drop table public.outbox")


def test_new_texts_are_encoded_and_stay_in_the_query_cache(suite: Shop) -> None:
    suite.run("delete from shop_private.query_embedding")
    change = {"rule": {"name": "r", "condition": {"query": "shoes"}, "action": {"query": "boots"}}}
    judged(suite, ("coat -red", "s1", 3))
    with suite.encoder():
        summary, *_ = what_if(suite.connect(Role.APP), change, {"synonym": {"terms": ["boots", "wellies"]}})
    assert summary.queries == 4
    kept = {row.query for row in suite.run("select query from shop_private.query_embedding")}
    assert kept == {*QUERIES, "boots", "wellies", "coat", "red"}


@pytest.mark.soak
def test_a_change_of_a_price_waits_less_than_a_second(suite: Shop) -> None:
    """The searches of what_if take several seconds. In this time, another session changes a price again and again."""
    judged(suite, *((f"query {n}", "s1", 3) for n in range(60)))
    for n in range(60):
        suite.cache(f"query {n}", seed=n)
    view(suite, "slow", "select product_id, (select 1.0 from pg_sleep(0.03)) as value from shop.product")
    app, other = suite.connect(Role.APP), suite.connect(Role.APP)
    waits: list[float] = []
    done = threading.Event()

    def change_prices() -> None:
        while not done.is_set():
            began = time.perf_counter()
            other.exec_driver_sql("update shop.product set price = price + 1 where sku = 's3'")
            waits.append(time.perf_counter() - began)
            done.wait(0.05)

    thread = threading.Thread(target=change_prices)
    thread.start()
    try:
        slow = {"signal": {"name": "slow", "view": "erp.slow", "weight": 1}}
        summary, *_ = what_if(app, slow, {"products": {"filter": {}, "price": 1}})
    finally:
        done.set()
        thread.join()
    assert summary.queries == 63
    assert sum(wait > 0.15 for wait in waits) > 2  # more than two of the updates have waited for shop.what_if
    assert max(waits) < 0.5 + 0.5  # what_if lets a session wait up to 0.5 s; a busy machine may add 0.5 s
    assert suite.value("select price from shop.product where sku = 's3'") == 13 + len(waits)


def test_what_if_gives_up_if_another_session_keeps_a_row_locked(
    suite: Shop, together: Callable[..., list[Any]]
) -> None:
    def ask(conn: Connection, change: Any) -> None:
        began = time.perf_counter()
        with pytest.raises(
            DatabaseError, match="for half a second, another session has held a lock that the changes need"
        ):
            what_if(conn, change)
        assert 0.5 < time.perf_counter() - began < 30

    changes = ({"products": {"filter": {}, "price": 1}}, {"signal": {"name": "stock", "weight": 1}})
    asking = [(suite.connect(Role.APP), change) for change in changes]
    with suite.database.connect(Role.APP) as held, held.begin():
        held.exec_driver_sql("update shop.product set price = 2 where sku = 's3'")
        held.exec_driver_sql("update shop.signal set weight = 0 where name = 'stock'")
        together(*(lambda one=one: ask(*one) for one in asking))


def test_what_if_waits_until_another_session_releases_a_row(suite: Shop) -> None:
    with suite.database.connect(Role.APP) as held, held.begin():
        held.exec_driver_sql("update shop.signal set weight = 0 where name = 'stock'")
        release = threading.Timer(1.0, held.rollback)
        release.start()
        assert what_if(suite.connect(Role.APP), RULE)[0].queries == 3
        release.join()


def test_two_sessions_that_ask_about_the_same_products_at_once_get_equal_answers(
    suite: Shop, together: Callable[..., list[Any]]
) -> None:
    change = {"products": {"filter": {}, "price": 1}}
    for n in range(20):
        judged(suite, (f"query {n}", "s1", 3))
        suite.cache(f"query {n}", seed=n)
    connections = [suite.connect(Role.APP) for _ in range(2)]
    answers = together(*(lambda conn=conn: what_if(conn, RULE, change) for conn in connections))
    assert [rows[0].queries for rows in answers] == [23, 23]
    assert answers[0] == answers[1]
