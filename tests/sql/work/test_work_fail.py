"""An item with a temporary error is retried later, and an item with a permanent error is quarantined."""

from typing import TYPE_CHECKING

from db.work import items as work

if TYPE_CHECKING:
    from tests.support.shop import Shop


def test_a_permanent_error_quarantines_the_item_after_one_attempt(shop: "Shop") -> None:
    shop.add("a")
    worker = shop.worker()
    [item] = worker.claim()
    worker.fail(item, "not an image: HTML", final=True)
    assert worker.claim() == []
    [row] = shop.run("select catalog, sku, part, error, model from shop.quarantine")
    assert tuple(row) == ("main", "a", "title", "not an image: HTML", "toy")


def test_a_temporary_error_is_retried_with_growing_delays_up_to_three_attempts(shop: "Shop") -> None:
    shop.add("a")
    worker = shop.worker()
    delays = []
    for attempts in range(3):
        [item] = worker.claim()
        assert item.attempts == attempts
        worker.fail(item, f"out of memory {attempts}")
        [row] = shop.run(
            "select state::text, round(extract(epoch from due_at - clock_timestamp()))::int as delay "
            "from shop_private.work where part = 'title'"
        )
        delays.append(row.delay)
        assert row.state == ("quarantined" if attempts == 2 else "pending")
        shop.run("update shop_private.work set due_at = clock_timestamp() where part = 'title'")
    assert delays[:2] == [1, 8]
    assert shop.value("select error from shop.quarantine") == "out of memory 2"


def test_failed_items_are_retried_together_in_one_batch(shop: "Shop") -> None:
    shop.add("a", "b", "c")
    worker = shop.worker()
    for item in worker.claim():
        worker.fail(item, "the server does not answer")
    shop.run("update shop_private.work set due_at = clock_timestamp()")
    assert [item.attempts for item in worker.claim()] == [1, 1, 1]


def test_failed_items_whose_next_batch_stops_its_encoder_are_tried_in_halves(shop: "Shop") -> None:
    shop.add("a", "b")
    one, two = shop.worker(), shop.worker()
    one.fail(one.claim(limit=1)[0], "out of memory")
    shop.run("update shop_private.work set due_at = clock_timestamp() - interval '1 hour'")
    assert len(one.claim()) == 2
    shop.expire(one)
    assert len(two.claim()) == 1


def test_a_worker_cannot_fail_an_item_that_it_no_longer_holds(shop: "Shop") -> None:
    shop.add("a")
    one, two = shop.worker(), shop.worker()
    [item] = one.claim()
    shop.expire(one)
    [alone] = two.claim()
    one.fail(item, final=True)
    assert two.complete([alone]) == 1


def test_an_error_of_5000_characters_is_truncated_to_1000_characters(shop: "Shop") -> None:
    shop.add("a")
    worker = shop.worker()
    worker.fail(worker.claim()[0], "x" * 5000, final=True)
    assert shop.value("select length(error) from shop.quarantine") == 1000


def test_released_items_are_pending_again_and_their_attempts_do_not_count(shop: "Shop") -> None:
    shop.add("a", "b", "solo")
    shop.run("update shop_private.work set batch_limit = 1 where product_id = shop.product_id('solo')")
    one, two = shop.worker(), shop.worker()
    [alone] = one.claim()
    assert alone.attempts == 1
    assert len(one.claim(limit=1)) == 1
    [others] = two.claim()
    assert one.release() == 2
    [again] = two.claim()
    assert (again.title, again.attempts) == ("title of solo", 1)  # the released attempt did not count
    assert two.complete([others]) == 1  # the other worker's lease is unchanged
    assert shop.value("select count(*) from shop_private.worker where worker_id = :id", id=one.id) == 0


def test_a_retry_makes_the_quarantined_items_of_a_model_pending_with_no_failed_attempts(two_models: "Shop") -> None:
    two_models.add("a", "b")
    for model_id in (1, 2):
        worker = two_models.worker(model_id=model_id)
        for item in worker.claim():
            worker.fail(item, final=True)
    assert work.retry(worker.conn, 2) == 2
    again = worker.claim()
    assert [item.attempts for item in again] == [0, 0]  # both items are claimed in one batch
    assert two_models.worker(model_id=1).claim() == []
    assert work.retry(worker.conn, 2) == 0


def test_outstanding_counts_the_remaining_items(shop: "Shop") -> None:
    shop.add("a", "b", "c")
    worker = shop.worker()
    worker.fail(worker.claim(limit=1)[0], final=True)
    worker.claim(limit=1)
    assert work.outstanding(worker.conn, [1]) == work.Outstanding(pending=4, leased=1, quarantined=1)
    assert work.outstanding(worker.conn, []) == work.Outstanding(0, 0, 0)
