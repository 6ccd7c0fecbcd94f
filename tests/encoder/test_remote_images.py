"""Images on other hosts are fetched while titles and files are encoded. A silent host delays only its own images.

The lane of these tests is the loop of an encoder that works through the catalog.
"""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import structlog
from sqlalchemy import Connection, text

from db.catalog import store as catalog
from db.catalog.product import Image, Product
from db.engine import Database
from db.images.errors import FetchFailed, ImageRejected
from db.images.pixels import InputShape
from db.roles import Role
from db.work import fetching
from db.work import items as work
from encoder import service
from encoder.lanes.batches import ClaimedBatch
from encoder.lanes.catalog import CatalogLane
from encoder.lanes.remote_images import HostLog
from encoder.models.loading import load
from encoder.settings import EncoderSettings
from tests.support.images import draw, load_drawings
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from tests.support.shop import Shop

MODEL: Any = SimpleNamespace(device="cpu", tower=SimpleNamespace(shape=InputShape(32, 32, "stretch")))
SETTINGS = EncoderSettings(image_batch=8, title_batch=50, fetch_per_host=2, readers=1)


class Hosts:
    """Replaces the fetcher. A read from a host in `silent` blocks until `end` is set, and then fails."""

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.failing: dict[str, ImageRejected] = {}
        self.end = threading.Event()
        self.read_at: list[str] = []

    def read(self, address: str) -> bytes:
        host = address.split("/")[2]
        self.read_at.append(host)
        if host in self.silent:
            self.end.wait(30)
            raise FetchFailed(f"{address}: no complete answer within 10 seconds")
        if host in self.failing:
            raise self.failing[host]
        return b"image"

    def close(self) -> None:
        self.end.set()


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    made = Hosts()
    yield made
    made.end.set()


@pytest.fixture
def lane(shop: "Shop", hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> Iterator[CatalogLane]:
    monkeypatch.setattr("encoder.lanes.catalog.Fetcher", lambda _: hosts)
    worker = uuid4()
    with shop.database.connect(Role.ENCODER) as conn, conn.begin():
        work.heartbeat(conn, worker, "host", 1, "cpu", 600)
    made = CatalogLane(worker, {1: MODEL}, SETTINGS)
    yield made
    made.close()


@pytest.fixture
def conn(shop: "Shop") -> Iterator[Connection]:
    with shop.database.connect(Role.ENCODER) as conn:
        yield conn


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Yields an event that is set after a minute. The event ends a lane that still waits for work."""
    event = threading.Event()
    limit = threading.Timer(60, event.set)
    limit.start()
    yield event
    limit.cancel()


def add_remote(shop: "Shop", host: str, count: int) -> None:
    shop.load(*(Product(f"{host} {n}", "title", images=(Image(f"https://{host}/{n}.jpg"),)) for n in range(count)))


def images(batch: ClaimedBatch) -> list[str]:
    return [(item.uri or "").split("/")[2] if item.host else "file" for item in batch.items]


def take(batches: Iterator[ClaimedBatch], count: int) -> list[str]:
    """Takes batches until they have `count` items. Returns for each item "title", or the host of the image, or "file"
    for an image without a host."""
    taken: list[str] = []
    while len(taken) < count:
        batch = next(batches)
        taken += ["title"] * len(batch.items) if batch.part == "title" else images(batch)
        if batch.decoding:
            batch.decoding.close()
    return taken


def test_titles_and_files_come_first_and_do_not_wait_for_a_silent_host(
    shop: "Shop", hosts: Hosts, lane: CatalogLane, conn: Connection, stop: threading.Event
) -> None:
    hosts.silent = {"silent.example"}
    add_remote(shop, "silent.example", 30)
    shop.add("file a", "file b")
    batches = lane.read(conn, stop, once=False)
    assert take(batches, 34) == ["title"] * 32 + ["file"] * 2
    wait_until(lambda: hosts.read_at, 60, "a request to the silent host")
    assert hosts.read_at == ["silent.example"]  # only one request waits for the silent host


def test_images_of_other_hosts_are_encoded_while_a_host_is_silent(
    shop: "Shop", hosts: Hosts, lane: CatalogLane, conn: Connection, stop: threading.Event
) -> None:
    hosts.silent = {f"silent-{n}.example" for n in range(10)}
    for host in sorted(hosts.silent):
        add_remote(shop, host, 3)
    add_remote(shop, "live.example", 20)
    batches = lane.read(conn, stop, once=False)
    assert take(batches, 70) == ["title"] * 50 + ["live.example"] * 20
    assert not hosts.end.is_set()
    assert {host: hosts.read_at.count(host) for host in hosts.silent} == dict.fromkeys(hosts.silent, 1)


def test_a_lane_that_runs_once_ends_and_images_of_unreachable_hosts_stay_pending(
    shop: "Shop", hosts: Hosts, lane: CatalogLane, conn: Connection
) -> None:
    hosts.failing = {"dead.example": FetchFailed("host name: Name or service not known")}
    add_remote(shop, "dead.example", 300)
    add_remote(shop, "gone.example", 3)
    hosts.failing["gone.example"] = ImageRejected("the server answers 404")
    shop.encode_all()  # encodes only the titles, because no image is in a file
    assert list(lane.read(conn, threading.Event(), once=True)) == []
    assert hosts.read_at.count("dead.example") == 1
    states = "select host, state::text, count(*) from shop_private.work group by 1, 2 order by 1"
    assert shop.run(states) == [("dead.example", "pending", 300), ("gone.example", "quarantined", 3)]
    assert lane.counters.failed == 4


def test_a_host_that_stops_answering_is_paused_and_its_images_are_no_longer_leased(
    shop: "Shop", hosts: Hosts, lane: CatalogLane, conn: Connection
) -> None:
    add_remote(shop, "cdn.example", 100)
    shop.encode_all()
    batches = lane.read(conn, threading.Event(), once=True)
    assert set(take(batches, 8)) == {"cdn.example"}
    hosts.failing = {"cdn.example": FetchFailed("Connection refused")}
    before = len(hosts.read_at)
    for batch in batches:  # these images were fetched before the host failed
        if batch.decoding:
            batch.decoding.close()
        shop.run("delete from shop_private.work where batch_size is not null")
    # Three failures pause the host, and at most two fetches run at once. The limit leaves room for two more batches.
    assert len(hosts.read_at) - before < 2 * 8 + 3 * 2
    assert shop.value("select count(*) from shop_private.work where state = 'leased'") == 0
    assert shop.value("select paused_until > clock_timestamp() from shop_private.fetch_host")


def test_a_fetched_image_that_must_be_tried_alone_enters_an_empty_pipeline(
    shop: "Shop", lane: CatalogLane, conn: Connection, stop: threading.Event
) -> None:
    add_remote(shop, "cdn.example", 6)
    shop.encode_all()
    shop.run("update shop_private.work set batch_limit = 1 where product_id = shop.product_id('cdn.example 3')")
    batches = lane.read(conn, stop, once=False)
    sizes: dict[int | None, list[int]] = {}
    count = 0
    while count < 6:
        batch = next(batches)
        count += len(batch.items)
        sizes.setdefault(batch.items[0].batch_limit, []).append(len(batch.items))
        if batch.decoding:
            batch.decoding.close()
        lane._finish()  # as if the pipeline had encoded the batch
    assert sizes[1] == [1]
    assert sum(sizes[None]) == 5
    assert shop.run("select attempts, batch_size from shop_private.work where batch_limit = 1") == [(1, 1)]


def test_a_failing_host_has_one_log_line_a_minute_with_the_number_of_failures() -> None:
    now = 0.0
    log = HostLog(clock=lambda: now)
    with structlog.testing.capture_logs() as lines:
        for second in range(0, 130, 2):
            now = float(second)
            log.failure("dead.example", f"reason {second}")
        log.failure("other.example", "another reason")
    assert [(line["host"], line["failures"]) for line in lines] == [
        ("dead.example", 1),
        ("dead.example", 30),
        ("dead.example", 30),
        ("other.example", 1),
    ]


def test_hosts_beyond_the_first_1000_of_a_minute_share_one_log_line() -> None:
    now = 0.0
    log = HostLog(clock=lambda: now)
    with structlog.testing.capture_logs() as lines:
        for n in range(5000):
            log.failure(f"{n}.example", "a reason")
        now = 61.0
        for n in range(5000, 5010):
            log.failure(f"{n}.example", "a reason")
    assert [line["host"] for line in lines] == [
        *(f"{n}.example" for n in range(1000)),
        "other hosts",
        *(f"{n}.example" for n in range(5000, 5010)),
    ]
    assert len(log._logged) <= 1001


def test_no_further_image_is_fetched_while_the_waiting_images_exceed_the_byte_limit(
    shop: "Shop", hosts: Hosts, lane: CatalogLane, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("encoder.lanes.remote_images._MAX_BYTES", 15)  # fewer bytes than four images have
    add_remote(shop, "cdn.example", 20)
    shop.encode_all()
    fetching.answered(conn, "cdn.example")
    conn.commit()
    remote = lane._remote
    remote.claim(conn, 1)
    wait_until(lambda: not remote._running, 10, "the end of the fetches")
    first = len(hosts.read_at)
    assert 4 <= first <= 5  # two fetches can be in progress when the limit is exceeded
    taken = 0
    while taken < 8:
        remote.settle(conn, [1])
        taken += len(remote.take(1, 8))
        wait_until(lambda: not remote._running, 10, "the end of the fetches")
    assert len(hosts.read_at) > first


def test_a_service_that_runs_once_encodes_all_files_and_tries_a_dead_host_once(
    clip_database: Database, clip_folder: Path, tmp_path: Path
) -> None:
    load_drawings(clip_database, tmp_path / "images", 30)
    dead = [Product(f"dead {n}", "title", images=(Image(f"http://127.0.0.1:9/{n}.jpg"),)) for n in range(300)]
    with clip_database.connect(Role.APP) as conn, conn.begin():
        with catalog.staging(conn) as stage:
            for product in dead:
                stage(product)
        catalog.upsert(conn, catalog="main", image_root=None)
    settings = EncoderSettings(device="cpu", fetch_networks="127.0.0.0/8", fetch_ports="9")
    with structlog.testing.capture_logs() as lines:
        summary = service.run(
            clip_database, {1: load(str(clip_folder))}, settings, stop=threading.Event(), once=True, queries=False
        )
    assert (summary.counters.image, summary.counters.title, summary.counters.failed) == (30, 330, 1)
    assert [(failing.host, failing.waiting) for failing in summary.failing] == [("127.0.0.1:9", 300)]
    assert [line["host"] for line in lines if line["event"] == "images not fetched"] == ["127.0.0.1:9"]
    with clip_database.connect(None) as conn:
        assert conn.scalar(text("select sum(fetch_failures) from shop_private.work")) == 1


@pytest.mark.soak
@pytest.mark.parametrize("address", ["https://img.dead-host.example/{}.jpg", "http://127.0.0.1:9/{}.jpg"])
def test_300_unreachable_images_delay_files_by_at_most_20_percent_and_200_ms(
    clip_database: Database, clip_folder: Path, tmp_path: Path, address: str
) -> None:
    settings = EncoderSettings(device="cpu", fetch_networks="127.0.0.0/8", fetch_ports="9")
    stop = threading.Event()
    models = {1: load(str(clip_folder))}
    thread = threading.Thread(
        target=service.run, args=(clip_database, models, settings), kwargs={"stop": stop, "queries": False}
    )
    thread.start()
    encoded = text("select count(*) from shop.clip_image")

    def seconds(number: int, dead: int) -> float:
        """Loads `dead` images of an unreachable host, then 30 files. Returns the seconds until all files are
        encoded."""
        with clip_database.connect(Role.APP) as conn, conn.begin():
            with catalog.staging(conn) as stage:
                for n in range(dead):
                    stage(Product(f"dead {number} {n}", "title", images=(Image(address.format(f"{number}-{n}")),)))
            catalog.upsert(conn, catalog="dead", image_root=None)
        files = range(30 * (number - 1), 30 * number)
        for n in files:
            draw(tmp_path / f"{n}.png", n)
        with clip_database.connect(Role.APP) as conn, conn.begin():
            with catalog.staging(conn) as stage:
                for n in files:
                    stage(Product(f"file {n}", f"thing {n}", images=(Image(f"{n}.png"),)))
            catalog.upsert(conn, image_root=tmp_path)
        started = time.monotonic()
        with clip_database.connect(None) as conn:
            conn = conn.execution_options(isolation_level="AUTOCOMMIT")
            wait_until(lambda: conn.scalar(encoded) == 30 * number, 120, "the vectors of all files")
        return time.monotonic() - started

    try:
        seconds(1, 0)  # starts the decoders
        alone = [seconds(number, 0) for number in (2, 3, 4)]
        behind = [seconds(number, 300) for number in (5, 6, 7)]
        print(f"seconds for 30 files: {alone}; with 300 unreachable images: {behind}")
        assert sorted(behind)[1] <= 1.2 * sorted(alone)[1] + 0.2
    finally:
        stop.set()
        thread.join()
