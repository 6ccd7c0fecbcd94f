"""No two workers hold the same item. After a worker stops, its batches are tried again in halves, down to single items.
A single item is tried at most three times."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from db.work.items import Item

if TYPE_CHECKING:
    from tests.support.shop import Shop, Worker


def skus(items: list[Item]) -> list[str]:
    return [item.title.removeprefix("title of ") for item in items]


def test_concurrent_workers_never_share_an_item_and_claim_all_items(
    shop: "Shop", together: Callable[..., list[Any]]
) -> None:
    shop.add(*(f"sku {n}" for n in range(300)))

    def claims_all(worker: "Worker") -> list[str]:
        mine: list[str] = []
        while items := worker.claim(limit=7):
            mine += skus(items)
        return mine

    workers = [shop.worker() for _ in range(4)]
    claimed = together(*(lambda worker=worker: claims_all(worker) for worker in workers))
    everything = [sku for mine in claimed for sku in mine]
    assert len(everything) == len(set(everything)) == 300
    assert sum(bool(mine) for mine in claimed) > 1  # several workers claimed items


def test_a_claim_skips_items_of_another_uncommitted_claim(shop: "Shop") -> None:
    shop.add("a", "b", "c")
    one, two = shop.worker(), shop.worker()
    one.conn.exec_driver_sql("begin")
    assert skus(one.claim(limit=1)) == ["a"]
    assert sorted(skus(two.claim())) == ["b", "c"]  # the second worker does not wait for the first worker
    one.conn.exec_driver_sql("rollback")
    assert skus(two.claim()) == ["a"]


def test_a_claim_returns_the_oldest_items_up_to_its_limit(shop: "Shop") -> None:
    shop.add("a", "b", "c", "d")
    for age, sku in enumerate(("c", "a", "d", "b")):
        shop.run(
            "update shop_private.work set due_at = due_at - make_interval(secs => :older) "
            "where product_id = shop.product_id(:sku)",
            older=10 - age,
            sku=sku,
        )
    assert skus(shop.worker().claim(limit=3)) != []
    assert [row.sku for row in leased(shop)] == ["a", "c", "d"]


def leased(shop: "Shop") -> list[Any]:
    return shop.run(
        "select p.sku from shop_private.work w join shop.product p using (product_id) "
        "where w.state = 'leased' order by 1"
    )


def test_a_claim_returns_items_of_one_model_and_one_part(two_models: "Shop") -> None:
    two_models.add("a")
    assert [(item.uri, item.position) for item in two_models.worker(model_id=2).claim("image")] == [("a-0.jpg", 0)]
    held = two_models.run("select model_id, part::text from shop_private.work where state = 'leased'")
    assert held == [(2, "image")]


def test_an_image_item_has_its_folder_and_its_uri(shop: "Shop") -> None:
    shop.add("a")
    [item] = shop.worker().claim("image")
    assert (item.folder, item.uri, item.attempts, item.host) == ("/images", "a-0.jpg", 0, None)


def test_a_live_worker_keeps_its_items(shop: "Shop") -> None:
    shop.add("a")
    one, two = shop.worker(), shop.worker()
    assert skus(one.claim()) == ["a"]
    assert two.claim() == []
    assert one.complete([*_held(shop)]) == 1


def _held(shop: "Shop") -> list[Item]:
    return [
        Item(row.product_id, row.position, 0, None, "", None, None, None)
        for row in shop.run("select product_id, position from shop_private.work where state = 'leased'")
    ]


def test_a_batch_is_tried_again_in_halves_after_its_lease_has_expired(shop: "Shop") -> None:
    shop.add(*(f"sku {n:02}" for n in range(10)))
    one, two = shop.worker(), shop.worker()
    assert len(one.claim(limit=8)) == 8
    shop.expire(one)
    first, second, rest = two.claim(), two.claim(), two.claim()
    assert [(len(batch), {item.batch_limit for item in batch}) for batch in (first, second, rest)] == [
        (4, {4}),
        (4, {4}),
        (2, {None}),
    ]
    assert {item.attempts for item in (*first, *second, *rest)} == {0}
    two.complete(first)
    shop.expire(two)  # the worker stops while it holds the second half and the other two items
    three = shop.worker()
    assert [len(three.claim()) for _ in range(4)] == [2, 2, 1, 1]


def test_halves_of_lost_batches_are_no_larger_than_the_limit_of_the_worker(shop: "Shop") -> None:
    shop.add(*(f"sku {n}" for n in range(10)))
    one, two = shop.worker(), shop.worker()
    one.claim(limit=10)
    shop.expire(one)
    assert [len(two.claim(limit=3)) for _ in range(4)] == [3, 3, 3, 1]


def test_batches_that_are_lost_again_are_halved_again_and_do_not_count_as_attempts(shop: "Shop") -> None:
    shop.add(*(f"sku {n}" for n in range(8)))
    sizes = []
    for _ in range(5):
        worker = shop.worker()
        batch = worker.claim(limit=8)
        sizes.append(len(batch))
        shop.expire(worker)
    assert sizes == [8, 4, 4, 2, 2]
    assert shop.value("select count(*) from shop_private.work where part = 'title' and attempts > 0") == 0


def test_an_item_of_a_worker_without_a_heartbeat_can_be_claimed_again(shop: "Shop") -> None:
    shop.add("a")
    assert len(shop.worker(alive=False).claim()) == 1
    assert len(shop.worker().claim()) == 1


def test_an_item_that_stops_three_workers_when_tried_alone_is_quarantined_with_a_reason(shop: "Shop") -> None:
    shop.add("poison")
    for attempts in range(4):  # the first claim is a batch, and the next three claims try the item alone
        worker = shop.worker()
        [item] = worker.claim()
        assert item.attempts == attempts
        shop.expire(worker)
    assert shop.worker().claim() == []
    assert shop.work("poison")[1] == ("poison", "title", 0, "quarantined")
    [row] = shop.run("select sku, part, error from shop.quarantine")
    assert tuple(row) == ("poison", "title", "the encoder stopped while it held this item")


def test_an_item_to_be_tried_alone_is_claimed_before_older_items(shop: "Shop") -> None:
    shop.add("poison")
    worker = shop.worker()
    worker.claim()
    shop.expire(worker)
    shop.add(*(f"sku {n}" for n in range(50)))
    shop.run("update shop_private.work set due_at = due_at - interval '1 hour' where state = 'pending'")
    assert skus(shop.worker().claim()) == ["poison"]


def test_an_item_waiting_for_a_retry_does_not_delay_other_items(shop: "Shop") -> None:
    shop.add("late", "b")
    shop.run(
        "update shop_private.work set batch_limit = 1, due_at = clock_timestamp() + interval '1 hour' "
        "where product_id = shop.product_id('late')"
    )
    assert skus(shop.worker().claim()) == ["b"]
