"""shop_private.housekeep deletes old requests that no encoder has claimed. It deletes the oldest cached vectors if the
cache has more than a given number. It deletes workers that hold no item and whose leases expired long ago.

shop.popular_queries counts the requests for each text.
"""

from typing import TYPE_CHECKING

from sqlalchemy import text

from db.roles import Role
from db.work import requests

if TYPE_CHECKING:
    from tests.support.shop import Shop


def housekeep(shop: "Shop", cache_rows: int = 1000) -> None:
    with requests.connect(shop.database) as conn:
        conn.execute("set lock_timeout = '2s'")
        requests.housekeep(conn, cache_rows)


def ask(shop: "Shop", payload: bytes, seconds_ago: int) -> None:
    shop.run(
        "insert into shop_private.request (model_id, key, kind, payload, created_at) values "
        "(1, sha256(:payload), 't', :payload, clock_timestamp() - make_interval(secs => :ago))",
        payload=payload,
        ago=seconds_ago,
    )


def test_unclaimed_requests_older_than_a_minute_are_deleted(shop: "Shop") -> None:
    ask(shop, b"old", 61)
    ask(shop, b"new", 5)
    housekeep(shop)
    assert shop.run("select payload from shop_private.request") == [(b"new",)]


def test_a_request_that_an_encoder_has_claimed_is_kept(shop: "Shop") -> None:
    ask(shop, b"slow", 61)
    with requests.connect(shop.database) as encoder:
        assert len(requests.begin(encoder, [1], 10)) == 1
        housekeep(shop)  # housekeep returns immediately and does not wait for the encoder
        assert shop.value("select count(*) from shop_private.request") == 1


def test_housekeep_keeps_the_given_number_of_newest_rows_of_the_cache(shop: "Shop") -> None:
    for query in ("one", "two", "three", "four"):
        shop.cache(query)
    housekeep(shop, 2)
    assert shop.run("select query from shop_private.query_embedding order by created_at") == [("three",), ("four",)]
    housekeep(shop, 2)
    assert shop.value("select count(*) from shop_private.query_embedding") == 2


def test_a_worker_whose_lease_expired_long_ago_is_deleted_unless_it_holds_items(shop: "Shop") -> None:
    shop.add("a")
    gone, holds, late = shop.worker(), shop.worker(), shop.worker()
    holds.claim()
    for worker, age in ((gone, "2 hours"), (holds, "2 hours"), (late, "1 minute")):
        shop.run(
            f"update shop_private.worker set lease_expires_at = clock_timestamp() - interval '{age}' "
            "where worker_id = :id",
            id=worker.id,
        )
    housekeep(shop)
    left = set(shop.run("select worker_id from shop_private.worker"))
    assert left == {(holds.id,), (late.id,)}


def test_popular_queries_counts_the_requests_for_each_text(shop: "Shop") -> None:
    for payload, times in ((b"tshoes", 1), (b"tred bag", 3)):
        for _ in range(times):
            shop.run(
                "insert into shop_private.request (model_id, key, kind, payload) values "
                "(1, sha256(:whole), 't', substr(:whole, 2))",
                whole=payload,
            )
    shop.run("insert into shop_private.request (model_id, key, kind, payload) values (1, sha256('i'), 'i', 'image')")
    with shop.encoder(), shop.database.connect(Role.APP) as app:
        from tests.support.processes import wait_until

        wait_until(lambda: shop.value("select count(*) from shop_private.request") == 0, 60, "answers")
        rows = app.execute(text("select query, model, asked from shop.popular_queries")).all()
    assert rows == [("red bag", "toy", 3), ("shoes", "toy", 1)]  # queries with an image are not listed
