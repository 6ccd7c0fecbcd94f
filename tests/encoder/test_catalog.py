"""Encoder processes encode the catalog. Every good image gets exactly one vector, even if encoders are killed."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from db.engine import Database
from db.roles import Role
from db.work.items import Outstanding, outstanding
from tests.support.images import draw, load_drawings
from tests.support.processes import running_encoder, start_encoder, wait_until, windowshop

Environment = Callable[[Database], dict[str, str]]


def remaining_work(database: Database) -> Outstanding:
    with database.connect(Role.ENCODER) as conn:
        ids = conn.scalars(text("select model_id from shop.model")).all()
        return outstanding(conn, list(ids))


def rows(database: Database, query: str) -> list[tuple[object, ...]]:
    with database.connect(None) as conn:
        return [tuple(row) for row in conn.execute(text(query))]


def assert_complete(database: Database, count: int) -> None:
    """Checks that each title and image has exactly one vector and that no work remains."""
    assert remaining_work(database) == Outstanding(0, 0, 0)
    assert rows(database, "select count(*), count(distinct product_id) from shop.clip_image") == [(count, count)]
    assert rows(database, "select count(*), count(distinct product_id) from shop.clip_title") == [(count, count)]
    assert rows(database, "select products, searchable from shop.coverage") == [(count, count)]


def test_encode_once_quarantines_bad_images_and_encodes_them_after_a_repair_and_a_retry(
    clip_database: Database, environment: Environment, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    load_drawings(clip_database, folder, 60)
    (folder / "3.png").write_bytes(b"<html>not found</html>")
    (folder / "5.png").write_bytes((folder / "5.png").read_bytes()[:100])
    (folder / "7.png").unlink()
    first = windowshop("encode", "--once", env=environment(clip_database))
    assert first.returncode == 0, first.stderr
    said = " ".join(first.stderr.split())
    assert "Encoded 57 images and 60 titles" in said
    assert "3 items are quarantined" in said
    with clip_database.connect(Role.ANALYST) as conn:
        reasons = dict(conn.execute(text("select sku, error from shop.quarantine")).all())
    assert set(reasons) == {"p3", "p5", "p7"}
    assert "not an image" in reasons["p3"]
    assert "damaged" in reasons["p5"]
    assert "No such file" in reasons["p7"]
    assert rows(clip_database, "select count(*) from shop.clip_image") == [(57,)]

    for number in (3, 5, 7):
        draw(folder / f"{number}.png", number)
    assert windowshop("retry", env=environment(clip_database)).stdout.startswith("3 items")
    windowshop("encode", "--once", env=environment(clip_database))
    assert_complete(clip_database, 60)
    seen = rows(
        clip_database, "select sha256 is not null, width, height, length(phash) from shop.product_image limit 1"
    )
    assert seen == [(True, 48, 48, 64)]
    before = rows(clip_database, "select max(encoded_at) from shop.clip_image")
    last = windowshop("encode", "--once", env=environment(clip_database))
    assert "Nothing to encode" in last.stderr
    assert rows(clip_database, "select max(encoded_at) from shop.clip_image") == before


@pytest.mark.soak
def test_an_encoder_that_gets_sigterm_finishes_its_batches_and_releases_its_other_items(
    clip_database: Database, environment: Environment, tmp_path: Path
) -> None:
    load_drawings(clip_database, tmp_path / "images", 800)
    env = environment(clip_database)
    process = start_encoder(env, log=tmp_path / "log")
    wait_until(lambda: 0 < remaining_work(clip_database).pending < 1200, 60, "the first encoded items")
    process.terminate()
    assert process.wait(60) == 0, (tmp_path / "log").read_text()
    remaining = remaining_work(clip_database)
    assert remaining.leased == 0
    assert remaining.quarantined == 0
    assert rows(
        clip_database, "select count(*) from shop_private.work where batch_limit is not null or attempts > 0"
    ) == [(0,)]
    assert rows(clip_database, "select count(*) from shop_private.worker") == [(0,)]


@pytest.mark.soak
def test_two_encoders_at_the_same_time_store_one_vector_of_each_item(
    clip_database: Database, environment: Environment, tmp_path: Path
) -> None:
    env = environment(clip_database)
    with running_encoder(env, tmp_path / "one"), running_encoder(env, tmp_path / "two"):
        load_drawings(clip_database, tmp_path / "images", 150)
        try:
            wait_until(lambda: remaining_work(clip_database) == Outstanding(0, 0, 0), 60, "the vectors of all items")
        finally:
            print(remaining_work(clip_database), *((tmp_path / name).read_text() for name in ("one", "two")), sep="\n")
    assert_complete(clip_database, 150)


def held_by(database: Database, pid: int) -> int:
    """Returns the number of items that the encoder with this process id has leased."""
    held = rows(
        database,
        "select count(*) from shop_private.work join shop_private.worker using (worker_id) "
        f"where state = 'leased' and pid = {pid}",
    )
    return int(str(held[0][0]))


def kill_again_and_again(
    database: Database, env: dict[str, str], log: Path, *, kills: int, lease: int, seed: int = 1
) -> None:
    """Starts `kills` encoders one after another, and kills each encoder soon after it has leased an item. Then one more
    encoder encodes the remaining items. `lease` is in seconds."""
    chance = random.Random(seed)
    env = {**env, "WINDOWSHOP_ENCODER_LEASE_SECONDS": str(lease)}
    interrupted = 0
    for number in range(kills):
        process = start_encoder(env, log=log)
        wait_until(lambda pid=process.pid: held_by(database, pid), 60, f"a leased item of encoder {number}")
        time.sleep(chance.uniform(0, 0.3))
        interrupted += held_by(database, process.pid) > 0  # between two batches an encoder may hold no item
        process.kill()
        process.wait()
    assert interrupted > kills / 2
    started = time.monotonic()
    process = start_encoder(env, log=log)
    try:
        wait_until(
            lambda: remaining_work(database).pending + remaining_work(database).leased == 0,
            60 + lease,
            "no pending or leased item",
        )
    finally:
        process.terminate()
        process.wait(60)
    taken = time.monotonic() - started
    print(f"the last encoder finished within {taken:.0f} s; {interrupted} of {kills} killed encoders held items")


@pytest.mark.soak
def test_items_are_not_lost_or_duplicated_or_quarantined_if_encoders_are_killed(
    clip_database: Database, environment: Environment, tmp_path: Path
) -> None:
    with clip_database.connect(None) as conn, conn.begin():
        conn.execute(
            text(
                "insert into shop_private.webhook (name, url, kinds, secret) "
                "values ('w', 'https://w.example', '{matched}', 'whsec_')"
            )
        )
        conn.execute(text("""select shop.watch('all', filter => '{"sku": {"ne": "x"}}')"""))
    load_drawings(clip_database, tmp_path / "images", 900)
    kill_again_and_again(clip_database, environment(clip_database), tmp_path / "log", kills=3, lease=3)
    assert_complete(clip_database, 900)
    found = "select count(*), count(distinct product_id), count(r.watch_id) from shop.watch_match m"
    assert rows(clip_database, f"{found} left join shop_private.watch_report r using (product_id, watch_id)") == [
        (900, 900, 900)
    ]
    assert rows(clip_database, "select count(*) from shop_private.watch_note") == [(0,)]


@pytest.mark.soak
@pytest.mark.parametrize("kills", [10, 50])
def test_no_item_is_lost_after_ten_or_fifty_kills_with_leases_of_30_seconds(
    clip_database: Database, environment: Environment, tmp_path: Path, kills: int
) -> None:
    count = 2_000 if kills == 10 else 10_000
    load_drawings(clip_database, tmp_path / "images", count)
    kill_again_and_again(clip_database, environment(clip_database), tmp_path / "log", kills=kills, lease=30)
    assert_complete(clip_database, count)
