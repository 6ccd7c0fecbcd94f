"""shop.what_if ends with an error if something besides the changes could affect its pages, such as a signal that cannot
be read.

shop.what_if makes the changes in rounds. A round ends, and its changes are rolled back, when another session waits for
a row that the changes have locked.
"""

import json
import threading

import pytest

from db.errors import DatabaseError
from db.roles import Role
from tests.sql.ranking.asking import RULE, view, what_if
from tests.support.shop import Shop

WEIGHT = {"signal": {"name": "margin", "weight": 5}}


def add_signal(shop: Shop) -> None:
    with shop.database.connect(Role.APP) as app, app.begin():
        app.exec_driver_sql("select shop.add_signal('margin', 'erp.margin')")


def test_a_timeout_while_a_signal_is_read_ends_the_call(suite: Shop) -> None:
    suite.run("create table public.pause as select 0 as seconds")
    suite.run("grant select on public.pause to public")
    slow = "(select 1.0 from public.pause, pg_sleep(seconds))"
    view(suite, "margin", f"select product_id, {slow} as value from shop.product")
    add_signal(suite)
    suite.run("update public.pause set seconds = 10")
    app = suite.connect(Role.APP)
    app.exec_driver_sql("set statement_timeout = '1s'")
    try:
        with pytest.raises(DatabaseError, match="canceling statement due to statement timeout"):
            # The function timed_out measures the time since the statement's timestamp. A statement without parameters
            # is sent as one message, so this timestamp is the moment at which the time limit begins.
            app.exec_driver_sql(f"select * from shop.what_if('{json.dumps([WEIGHT])}')")
    finally:
        app.exec_driver_sql("reset statement_timeout")
        suite.run("select shop.drop_signal('margin')")
        suite.run("drop table public.pause cascade")


@pytest.mark.parametrize("weight", [0, 1])
def test_a_signal_that_cannot_be_read_is_an_error(suite: Shop, weight: int) -> None:
    suite.run("create schema erp")
    suite.run("create table erp.margin as select product_id, price as value from shop.product")
    suite.run("grant usage on schema erp to public")
    suite.run("grant select on erp.margin to public")
    add_signal(suite)
    suite.run("update shop.signal set weight = :weight where name = 'margin'", weight=weight)
    app = suite.connect(Role.APP)
    try:
        with suite.database.connect(None) as other, other.begin():
            other.exec_driver_sql("lock table erp.margin")
            with pytest.raises(DatabaseError, match="signal 'margin' cannot be read: .*lock timeout"):
                what_if(app, WEIGHT)
        assert what_if(app, WEIGHT)[0].queries == 3
    finally:
        suite.run("select shop.drop_signal('margin')")


def test_a_session_that_waits_for_an_earlier_lock_of_the_caller_ends_no_round(suite: Shop) -> None:
    other = suite.connect(Role.APP)
    waiting = threading.Thread(
        target=other.exec_driver_sql, args=("update shop.product set price = 3 where sku = 's13'",)
    )
    with suite.database.connect(Role.APP) as app, app.begin() as earlier:
        app.exec_driver_sql("update shop.product set price = 2 where sku = 's13'")
        waiting.start()
        app.exec_driver_sql("select pg_sleep(0.4)")
        for change in ({"products": {"filter": {"sku": ["s1"]}, "price": 1}}, RULE):
            assert what_if(app, change)[0].queries == 3
        assert waiting.is_alive()
        earlier.rollback()
    waiting.join()


def test_the_number_of_rows_that_the_rounds_write_is_limited(suite: Shop) -> None:
    """The test lowers the limit from 200,000 rows to 20. Two rounds write more than 20 rows. Another session ends each
    round."""
    definition = str(suite.value("select pg_get_functiondef('shop.what_if'::regproc)"))
    assert definition.count("written > 200000 ") == 1
    app, other = suite.connect(Role.APP), suite.connect(Role.APP)
    view(suite, "slow", "select product_id, (select 1.0 from pg_sleep(0.3)) as value from shop.product")
    done = threading.Event()

    def change_prices() -> None:
        while not done.wait(0.02):
            other.exec_driver_sql("update shop.product set price = price + 1 where sku = 's3'")

    thread = threading.Thread(target=change_prices)
    admin = suite.connect(None)
    admin.exec_driver_sql(definition.replace("written > 200000 ", "written > 20 "))
    thread.start()
    try:
        with pytest.raises(DatabaseError, match="other sessions change the same products"):
            what_if(
                app,
                {"signal": {"name": "slow", "view": "erp.slow", "weight": 1}},
                {"products": {"filter": {}, "price": 1}},
            )
    finally:
        done.set()
        thread.join()
        admin.exec_driver_sql(definition)
