"""Fetches of images are limited for each host. Until a host has answered, it gets one fetch at a time, which is called
a probe. A host that does not answer is paused, and delays only its own images."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from db.catalog.product import Image, Product
from db.images.errors import FetchFailed
from db.work import fetching
from db.work import items as work
from db.work.fetching import RemoteItem

if TYPE_CHECKING:
    from tests.support.shop import Shop, Worker

SILENT = FetchFailed("no complete answer within 10 seconds")
BUSY = FetchFailed("the server answers 503", answered=True)
PAUSES = (2, 4, 8, 16, 30, 32, 60, 120, 240, 480, 600, 900, 3600, 7200)


def add_remote(shop: "Shop", host: str, count: int, start: int = 0) -> None:
    shop.load(
        *(
            Product(f"{host} {n}", f"title {n}", images=(Image(f"https://{host}/{n}.jpg"),))
            for n in range(start, start + count)
        )
    )


def claim(
    worker: "Worker", limit: int = 100, per_host: int = 8, busy: Mapping[str, int] | None = None
) -> list[RemoteItem]:
    return fetching.claim(
        worker.conn, worker.id, worker.model_id, limit, per_host=per_host, busy=busy or {}, seconds=60
    )


def hosts(remote: list[RemoteItem]) -> list[str]:
    return sorted(each.host for each in remote)


def fail(worker: "Worker", remote: RemoteItem, error: FetchFailed = SILENT) -> bool:
    return fetching.failed(worker.conn, worker.id, worker.model_id, remote, error)


def end_pauses(shop: "Shop") -> None:
    """Ends the pauses of all hosts and images."""
    shop.run("update shop_private.fetch_host set paused_until = clock_timestamp(), probed_until = null")
    shop.run("update shop_private.work set due_at = clock_timestamp() where state = 'pending'")


def pause(shop: "Shop", host: str) -> int:
    """Returns the length in seconds of a host's pause. The pause must have just begun, so its length is the smallest of
    PAUSES that is not shorter than the remaining time."""
    rest = shop.value(
        "select extract(epoch from paused_until - clock_timestamp()) from shop_private.fetch_host where host = :host",
        host=host,
    )
    return min(length for length in PAUSES if length >= rest)


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("https://cdn.example/a.jpg", "cdn.example"),
        ("https://CDN.Example:443/a.jpg?b=c@d", "cdn.example"),
        ("http://cdn.example:80/a.jpg", "cdn.example"),
        ("http://cdn.example:8080?a", "cdn.example:8080"),
        ("http://user:secret@cdn.example/a.jpg", "cdn.example"),
        ("http://[::1]:81/a.jpg", "[::1]:81"),
        ("s3://bucket/folder/a.jpg", "s3://bucket"),
        ("gs://Bucket/a.jpg", "gs://Bucket"),
        ("http:///a.jpg", "unknown"),
        ("https://", "unknown"),
    ],
)
def test_the_host_of_an_image_is_the_name_and_port_or_the_bucket(shop: "Shop", uri: str, host: str) -> None:
    assert shop.value("select shop_private.image_host(null, :uri)", uri=uri) == host
    assert shop.value("select shop_private.image_host(1::smallint, :uri)", uri=uri) is None


def test_images_at_web_addresses_are_not_claimed_with_titles_and_files(shop: "Shop") -> None:
    add_remote(shop, "a.example", 3)
    shop.add("file")
    worker = shop.worker()
    assert [item.uri for item in worker.claim("image")] == ["file-0.jpg"]
    assert len(worker.claim("title")) == 4
    assert hosts(claim(worker)) == ["a.example"]


def test_an_image_that_moves_to_a_host_is_fetched_and_an_image_that_becomes_a_file_is_not(shop: "Shop") -> None:
    shop.add("a")
    worker = shop.worker()
    shop.run("update shop.product_image set uri = 'https://b.example/a.jpg', image_root_id = null")
    assert worker.claim("image") == []
    assert hosts(claim(worker)) == ["b.example"]
    shop.run("update shop.product_image set uri = 'a.jpg', image_root_id = shop_private.image_root_id('/images')")
    assert claim(worker) == []
    assert len(worker.claim("image")) == 1


def test_a_host_gets_one_fetch_until_it_has_answered_and_then_several(shop: "Shop") -> None:
    add_remote(shop, "a.example", 20)
    one, two = shop.worker(), shop.worker()
    [probe] = claim(one)
    assert not probe.answers
    assert claim(one) == claim(two) == []  # neither worker may fetch another image of the host
    fetching.answered(one.conn, "a.example")
    claimed = claim(one)
    assert [each.answers for each in claimed] == [True] * 8
    assert claim(one, busy={"a.example": 8}) == []
    assert len(claim(one, busy={"a.example": 5})) == 3
    assert len(claim(two, limit=2)) == 2


def test_a_probe_is_repeated_after_its_time_limit_if_its_worker_has_stopped(shop: "Shop") -> None:
    add_remote(shop, "a.example", 2)
    assert len(claim(shop.worker())) == 1
    shop.run("update shop_private.fetch_host set probed_until = clock_timestamp()")
    assert len(claim(shop.worker())) == 1


def test_hosts_that_answer_come_before_hosts_that_have_not_answered(shop: "Shop") -> None:
    for n in range(30):
        add_remote(shop, f"dead-{n}.example", 1)
    add_remote(shop, "live.example", 5)
    worker = shop.worker()
    fetching.answered(worker.conn, "live.example")
    assert hosts(claim(worker, limit=5)) == ["live.example"] * 5


def test_a_host_that_never_answered_is_paused_after_one_failure_for_up_to_ten_minutes(
    shop: "Shop",
) -> None:
    add_remote(shop, "dead.example", 20)
    worker, pauses = shop.worker(), []
    for _ in range(8):
        [probe] = claim(worker)
        assert fail(worker, probe)
        assert claim(worker) == claim(shop.worker()) == []
        pauses.append(pause(shop, "dead.example"))
        end_pauses(shop)
    assert pauses == [30, 60, 120, 240, 480, 600, 600, 600]
    assert shop.value("select count(*) from shop_private.work where state = 'quarantined'") == 0


def test_a_host_that_answered_before_is_paused_after_three_failures_in_a_row(shop: "Shop") -> None:
    add_remote(shop, "a.example", 20)
    worker = shop.worker()
    fetching.answered(worker.conn, "a.example")
    first, second, third, fourth, *_ = claim(worker)
    assert not fail(worker, first)
    assert not fail(worker, second)
    fetching.answered(worker.conn, "a.example")
    assert not fail(worker, third)
    assert not fail(worker, fourth)
    [again] = claim(worker)  # after a failure, the host gets one fetch at a time
    assert fail(worker, again)
    assert pause(shop, "a.example") == 30


def test_fetches_that_fail_during_a_pause_do_not_prolong_the_pause(shop: "Shop") -> None:
    add_remote(shop, "a.example", 20)
    worker = shop.worker()
    fetching.answered(worker.conn, "a.example")
    for remote in claim(worker):
        fail(worker, remote)
    assert pause(shop, "a.example") == 30
    assert shop.value("select failures from shop_private.fetch_host") == 3


def test_a_busy_host_is_paused_for_2_to_60_seconds_or_as_long_as_it_asks_up_to_an_hour(shop: "Shop") -> None:
    add_remote(shop, "a.example", 20)
    worker, pauses = shop.worker(), []
    for _ in range(7):
        [probe] = claim(worker)
        fail(worker, probe, BUSY)
        pauses.append(pause(shop, "a.example"))
        end_pauses(shop)
    assert pauses == [2, 4, 8, 16, 32, 60, 60]
    [probe] = claim(worker)
    fail(worker, probe, FetchFailed("the server answers 429", answered=True, seconds=900))
    assert pause(shop, "a.example") == 900
    end_pauses(shop)
    [probe] = claim(worker)
    fail(worker, probe, FetchFailed("the server answers 429", answered=True, seconds=90_000))
    assert pause(shop, "a.example") == 3600


def test_a_host_that_asks_for_a_pause_of_1e308_seconds_is_paused_for_an_hour(shop: "Shop") -> None:
    add_remote(shop, "a.example", 1)
    worker = shop.worker()
    for _ in range(3):
        [probe] = claim(worker)
        assert fail(worker, probe, FetchFailed("the server answers 429", answered=True, seconds=1e308))
        assert pause(shop, "a.example") == 3600
        end_pauses(shop)


def test_an_image_is_retried_for_about_a_day_with_growing_pauses(shop: "Shop") -> None:
    add_remote(shop, "a.example", 1)
    worker, seconds = shop.worker(), []
    for _ in range(30):
        end_pauses(shop)
        shop.run("update shop_private.fetch_host set failing_since = null")
        [remote] = claim(worker)
        fail(worker, remote)
        seconds.append(
            float(
                shop.value(
                    "select extract(epoch from due_at - clock_timestamp()) from shop_private.work where part = 'image'"
                )
            )
        )
    assert seconds[:3] == [pytest.approx(30, rel=0.15), pytest.approx(60, rel=0.15), pytest.approx(120, rel=0.15)]
    assert 20 * 3600 < sum(seconds[:-1]) < 28 * 3600
    assert shop.run("select part, error from shop.quarantine") == [("image", SILENT.message)]


def test_failures_of_a_fetch_do_not_count_as_failures_of_decoding(shop: "Shop") -> None:
    add_remote(shop, "a.example", 1)
    worker = shop.worker()
    for _ in range(5):
        [remote] = claim(worker)
        fail(worker, remote)
        end_pauses(shop)
    [remote] = claim(worker)
    fetching.begin(worker.conn, worker.id, 1, [remote.item])
    worker.fail(remote.item, "out of memory", "image")
    [row] = shop.run("select state::text, attempts, fetch_failures from shop_private.work where part = 'image'")
    assert tuple(row) == ("pending", 1, 0)


def test_images_of_a_host_that_has_failed_for_a_day_are_quarantined(shop: "Shop") -> None:
    values = "('hook', 'http://hook.example/', '{searchable}', 'x')"
    shop.run(f"insert into shop_private.webhook (name, url, kinds, secret) values {values}")
    add_remote(shop, "dead.example", 5)
    add_remote(shop, "other.example", 1)
    worker = shop.worker()
    [probe] = [each for each in claim(worker) if each.host == "dead.example"]
    fail(worker, probe)
    end_pauses(shop)
    shop.run("update shop_private.fetch_host set failing_since = failing_since - interval '25 hours'")
    shop.run("update shop_private.work set due_at = due_at - interval '25 hours' where state = 'pending'")
    add_remote(shop, "dead.example", 1, start=100)
    [probe] = [each for each in claim(worker) if each.host == "dead.example"]
    fail(worker, probe)
    assert shop.value("select count(*) from shop.quarantine") == 5
    noted = "select count(*) from shop_private.webhook_note n join shop.product p using (product_id)"
    assert shop.value(f"{noted} where n.kind = 'quarantined'") == 5
    assert shop.value("select waiting from shop.failing_host where host = 'dead.example'") == 1  # the new image


def test_images_that_a_worker_releases_can_be_claimed_again(shop: "Shop") -> None:
    add_remote(shop, "a.example", 3)
    worker = shop.worker()
    fetching.answered(worker.conn, "a.example")
    claimed = claim(worker)
    fetching.release(worker.conn, worker.id, 1, [each.item for each in claimed[1:]])
    again = claim(worker)
    assert {each.item.product_id for each in again} == {each.item.product_id for each in claimed[1:]}


def test_images_that_a_stopped_worker_was_fetching_are_not_tried_in_smaller_batches(shop: "Shop") -> None:
    add_remote(shop, "a.example", 8)
    one, two = shop.worker(), shop.worker()
    fetching.answered(one.conn, "a.example")
    claimed = [each.item for each in claim(one)]
    fetching.begin(one.conn, one.id, 1, claimed[:4])
    shop.expire(one)
    two.claim("title", limit=1)  # releases the items of the stopped worker
    limits = {each.item.product_id: each.item.batch_limit for each in claim(two)}
    assert {limits[item.product_id] for item in claimed[:4]} == {2}
    assert {limits[item.product_id] for item in claimed[4:]} == {None}


def test_an_image_that_stops_four_encoders_after_its_fetch_is_quarantined(shop: "Shop") -> None:
    add_remote(shop, "a.example", 1)
    for _ in range(4):
        worker = shop.worker()
        worker.claim("image")  # releases the items of the worker that stopped
        fetching.answered(worker.conn, "a.example")
        [remote] = claim(worker)
        fetching.begin(worker.conn, worker.id, 1, [remote.item])
        shop.expire(worker)
    shop.worker().claim("image")
    assert shop.run("select part, error from shop.quarantine") == [
        ("image", "the encoder stopped while it held this item")
    ]


def test_a_work_list_with_only_images_of_a_paused_host_counts_as_idle(shop: "Shop") -> None:
    add_remote(shop, "dead.example", 5)
    worker = shop.worker()
    for item in worker.claim("title"):
        worker.complete([item])
    assert not work.is_idle(worker.conn, [1])
    [probe] = claim(worker)
    assert not work.is_idle(worker.conn, [1])
    fail(worker, probe)
    assert work.is_idle(worker.conn, [1])
    add_remote(shop, "new.example", 1)
    assert not work.is_idle(worker.conn, [1])
    assert work.is_idle(worker.conn, [2])


def test_failing_hosts_are_listed_with_the_number_of_waiting_images_and_the_reason(shop: "Shop") -> None:
    add_remote(shop, "dead.example", 5)
    add_remote(shop, "live.example", 1)
    worker = shop.worker()
    for remote in claim(worker):
        if remote.host == "dead.example":
            fail(worker, remote)
        else:
            fetching.answered(worker.conn, remote.host)
    [row] = shop.run("select host, waiting, error, next_attempt_at > failing_since from shop.failing_host")
    assert tuple(row) == ("dead.example", 5, SILENT.message, True)


def test_a_retry_of_a_host_makes_its_images_due_and_ends_its_pause(shop: "Shop") -> None:
    add_remote(shop, "dead.example:8080", 3)
    add_remote(shop, "other.example", 3)
    worker = shop.worker()
    for remote in claim(worker):
        fail(worker, remote)
    assert claim(worker) == []
    assert work.retry(worker.conn, 1, host="dead.example") == 1
    assert hosts(claim(worker)) == ["dead.example:8080"]
    assert work.retry(worker.conn, 1, host="nobody.example") == 0
