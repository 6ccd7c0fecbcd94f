"""Failing, giving back, trying again: what may pass is tried again later, what cannot is put aside."""

from typing import TYPE_CHECKING

from db.work import items as work

if TYPE_CHECKING:
    from tests.support.shop import Shop


def test_a_fault_that_can_never_pass_is_quarantined_at_once(shop: "Shop") -> None:
    shop.add("a")
    worker = shop.worker()
    [item] = worker.claim()
    worker.fail(item, "not a picture: HTML", final=True)
    assert worker.claim() == []
    [row] = shop.run("select catalog, sku, part, error, model from shop.quarantine")
    assert tuple(row) == ("main", "a", "title", "not a picture: HTML", "toy")


def test_a_fault_that_may_pass_is_tried_again_later_each_time_and_three_times(shop: "Shop") -> None:
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


def test_what_failed_by_itself_is_tried_again_among_others(shop: "Shop") -> None:
    shop.add("a", "b", "c")
    worker = shop.worker()
    for item in worker.claim():
        worker.fail(item, "the server does not answer")
    shop.run("update shop_private.work set due_at = clock_timestamp()")
    assert [item.attempts for item in worker.claim()] == [1, 1, 1]


def test_what_failed_and_then_ended_its_encoder_is_tried_alone(shop: "Shop") -> None:
    shop.add("a", "b")
    one, two = shop.worker(), shop.worker()
    one.fail(one.claim(limit=1)[0], "out of memory")
    shop.run("update shop_private.work set due_at = clock_timestamp() - interval '1 hour'")
    assert len(one.claim()) == 2
    shop.expire(one)
    assert len(two.claim()) == 1


def test_a_worker_cannot_fail_what_it_no_longer_holds(shop: "Shop") -> None:
    shop.add("a")
    one, two = shop.worker(), shop.worker()
    [item] = one.claim()
    shop.expire(one)
    [alone] = two.claim()
    one.fail(item, final=True)
    assert two.complete([alone]) == 1


def test_a_very_long_reason_is_cut(shop: "Shop") -> None:
    shop.add("a")
    worker = shop.worker()
    worker.fail(worker.claim()[0], "x" * 5000, final=True)
    assert shop.value("select length(error) from shop.quarantine") == 1000


def test_a_worker_that_leaves_in_good_order_leaves_no_trace(shop: "Shop") -> None:
    shop.add("a", "b", "solo")
    shop.run("update shop_private.work set solo = 1 where product_id = shop.product_id('solo')")
    one, two = shop.worker(), shop.worker()
    [alone] = one.claim()
    assert alone.attempts == 1
    assert len(one.claim(limit=1)) == 1
    [others] = two.claim()
    assert one.release() == 2
    [again] = two.claim()
    assert (again.title, again.attempts) == ("title of solo", 1)  # the attempt did not count
    assert two.complete([others]) == 1  # the other one's lease is as it was
    assert shop.value("select count(*) from shop_private.worker where worker_id = :id", id=one.id) == 0


def test_retry_lists_what_was_quarantined_as_if_new(two_models: "Shop") -> None:
    two_models.add("a", "b")
    for model_id in (1, 2):
        worker = two_models.worker(model_id=model_id)
        for item in worker.claim():
            worker.fail(item, final=True)
    assert work.retry(worker.conn, 2) == 2
    again = worker.claim()
    assert [item.attempts for item in again] == [0, 0]  # in one batch
    assert two_models.worker(model_id=1).claim() == []
    assert work.retry(worker.conn, 2) == 0


def test_outstanding_counts_what_is_left(shop: "Shop") -> None:
    shop.add("a", "b", "c")
    worker = shop.worker()
    worker.fail(worker.claim(limit=1)[0], final=True)
    worker.claim(limit=1)
    assert work.outstanding(worker.conn, [1]) == work.Outstanding(pending=4, leased=1, quarantined=1)
    assert work.outstanding(worker.conn, []) == work.Outstanding(0, 0, 0)
