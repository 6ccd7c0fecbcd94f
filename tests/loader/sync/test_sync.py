"""`--sync` marks or deletes the products that are missing from the feed. A refused sync changes no missing product and
gives the reason. No product is lost when a load is killed, or when the feed is incomplete, damaged or changed while it
is read."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.catalog import sync
from db.engine import Database
from db.errors import DatabaseError
from db.roles import Role
from loader.errors import NothingToLoad, SourceDamaged
from loader.summary import LoadSummary, SyncCounts
from loader.sync import MissingLimit, SyncOptions
from tests.support.loading import load_catalog
from tests.support.processes import COMMAND, wait_until, windowshop

REPOSITORY = Path(__file__).parents[3]


HEADER = "sku,title,price,availability\n"


ALL = SyncOptions(limit=MissingLimit(share=1))


def feed(path: Path, numbers: Any, title: str = "Title") -> Path:
    path.write_text(HEADER + "".join(f"{n},{title} {n},5,in_stock\n" for n in numbers))
    return path


def availability(database: Database, catalog: str = "main") -> dict[str, str]:
    with database.connect(Role.APP) as conn:
        rows = conn.execute(
            text("select sku, availability from shop.product where catalog = :catalog order by sku::int"),
            {"catalog": catalog},
        )
        return dict(tuple(row) for row in rows)  # type: ignore[misc]


def counts(summary: LoadSummary) -> tuple[int, int, int, int]:
    assert summary.synced is not None
    assert summary.read == summary.inserted + summary.updated + summary.unchanged + summary.rejected
    return summary.synced.kept, summary.synced.marked, summary.synced.deleted, summary.synced.left


def test_products_missing_from_the_feed_are_marked_as_out_of_stock(emptied_database: Database, tmp_path: Path):
    load_catalog(emptied_database, feed(tmp_path / "feed.csv", range(10)))
    load_catalog(emptied_database, feed(tmp_path / "other.csv", range(5)), catalog="other")
    summary = load_catalog(emptied_database, feed(tmp_path / "feed.csv", range(2, 12)), sync=SyncOptions())
    assert counts(summary) == (10, 2, 0, 0)
    assert (summary.inserted, summary.unchanged, summary.refused) == (2, 8, None)
    expected = {str(n): "out_of_stock" if n < 2 else "in_stock" for n in range(12)}
    assert availability(emptied_database) == expected
    assert set(availability(emptied_database, "other").values()) == {"in_stock"}

    again = load_catalog(emptied_database, tmp_path / "feed.csv", sync=SyncOptions())
    assert counts(again) == (10, 0, 0, 2)
    back = load_catalog(emptied_database, feed(tmp_path / "feed.csv", range(12)), sync=SyncOptions())
    assert (back.updated, counts(back)) == (2, (12, 0, 0, 0))
    assert set(availability(emptied_database).values()) == {"in_stock"}


def test_the_option_delete_removes_missing_products_with_their_images_and_work_items(
    emptied_database: Database, tmp_path: Path
):
    with emptied_database.connect(None) as conn, conn.begin():
        conn.execute(
            text(
                "insert into shop.model (name, source, revision, dimension) values ('m', 'm', '1', 8) "
                "on conflict do nothing"
            )
        )
    path = tmp_path / "feed.csv"
    path.write_text("sku,title,image\n" + "".join(f"{n},Title {n},{n}.jpg\n" for n in range(10)))
    load_catalog(emptied_database, path)
    path.write_text("sku,title,image\n" + "".join(f"{n},Title {n},{n}.jpg\n" for n in range(8)))
    summary = load_catalog(emptied_database, path, sync=SyncOptions(delete=True))
    assert counts(summary) == (8, 0, 2, 0)
    with emptied_database.connect(None) as conn:
        left = conn.execute(
            text(
                "select (select count(*) from shop.product), (select count(*) from shop.product_image), "
                "(select count(*) from shop_private.work)"
            )
        ).one()
        conn.execute(text("delete from shop.model"))
        conn.commit()
    assert tuple(left) == (8, 8, 16)


@pytest.mark.parametrize("delete", [False, True])
def test_sync_marks_and_deletes_nothing_if_too_many_products_are_missing(
    delete: bool, emptied_database: Database, tmp_path: Path
):
    load_catalog(emptied_database, feed(tmp_path / "feed.csv", range(10)))
    summary = load_catalog(emptied_database, feed(tmp_path / "feed.csv", range(3, 9)), sync=SyncOptions(delete=delete))
    assert counts(summary) == (6, 0, 0, 4)
    assert summary.refused is not None
    what = "deleted" if delete else "marked as out of stock"
    assert summary.refused.message == (
        "--sync: feed.csv does not name 4 of 10 products of catalog main, more than --max-missing 20% allows; "
        f"nothing was {what}"
    )
    assert summary.refused.hint == "Is the file complete? To change all these products: --max-missing 4"
    assert set(availability(emptied_database).values()) == {"in_stock"}
    allowed = load_catalog(emptied_database, tmp_path / "feed.csv", sync=SyncOptions(delete, MissingLimit.parse("4")))
    assert counts(allowed) == ((6, 0, 4, 0) if delete else (6, 4, 0, 0))


def test_new_products_in_the_feed_do_not_raise_the_limit_of_missing_products(
    emptied_database: Database, tmp_path: Path
):
    load_catalog(emptied_database, feed(tmp_path / "feed.csv", range(10)))
    summary = load_catalog(emptied_database, feed(tmp_path / "feed.csv", range(100, 200)), sync=SyncOptions())
    assert summary.refused is not None
    assert "does not name 10 of 10 products" in summary.refused.message
    assert (summary.inserted, counts(summary)) == (100, (100, 0, 0, 10))


def test_products_that_an_earlier_sync_marked_do_not_count_against_the_limit(
    emptied_database: Database, tmp_path: Path
):
    load_catalog(emptied_database, feed(tmp_path / "feed.csv", range(10)))
    for fewer in (9, 8, 7, 6, 5, 4):  # each feed has one product fewer than the feed before
        assert (
            counts(load_catalog(emptied_database, feed(tmp_path / "feed.csv", range(fewer)), sync=SyncOptions()))[1]
            == 1
        )


def test_the_product_of_a_rejected_row_does_not_count_as_missing(emptied_database: Database, tmp_path: Path):
    path = feed(tmp_path / "feed.csv", range(10))
    load_catalog(emptied_database, path)
    path.write_bytes(
        HEADER.encode()
        + b"0,,5,in_stock\n1,One,-5,in_stock\n2,Caf\xe9,5,in_stock\n3,Three\n4,Four,5,maybe\n5,Five,5,\n5,Five,5,\n"
    )
    summary = load_catalog(emptied_database, path, sync=ALL, strict=True)
    assert (summary.rejected, summary.refused) == (6, None)
    assert counts(summary) == (6, 4, 0, 0)
    found = availability(emptied_database)
    assert [found[str(n)] for n in range(10)] == [*["in_stock"] * 5, None, *["out_of_stock"] * 4]


@pytest.mark.parametrize("row", [b",No SKU,5,\n", b'"6,Open,5,\n', b"\xe9,Six,5,\n", b"x" * 2_000_000 + b"\n"])
def test_a_rejected_row_without_a_usable_sku_stops_the_sync(row: bytes, emptied_database: Database, tmp_path: Path):
    path = feed(tmp_path / "feed.csv", range(10))
    load_catalog(emptied_database, path)
    path.write_bytes(HEADER.encode() + row + b"0,Zero,5,in_stock\n")
    summary = load_catalog(emptied_database, path, sync=ALL)
    assert summary.refused is not None
    assert "rows of feed.csv without a valid SKU: 1; nothing was marked" in summary.refused.message
    assert (summary.updated, counts(summary)) == (1, (1, 0, 0, 9))
    assert set(availability(emptied_database).values()) == {"in_stock"}


def test_a_damaged_or_empty_file_marks_no_product(emptied_database: Database, tmp_path: Path):
    load_catalog(emptied_database, feed(tmp_path / "feed.csv", range(10)))
    item = "<item><id>1</id><title>One</title><availability>in stock</availability></item>"
    (tmp_path / "feed.xml").write_text(f"<rss>{item}")
    with pytest.raises(SourceDamaged):
        load_catalog(emptied_database, tmp_path / "feed.xml", sync=ALL)
    (tmp_path / "empty.csv").write_text(HEADER)
    with pytest.raises(NothingToLoad):
        load_catalog(emptied_database, tmp_path / "empty.csv", sync=ALL)
    assert list(availability(emptied_database).values()) == ["in_stock"] * 10


def test_a_file_that_changes_while_it_is_read_stops_the_sync(
    emptied_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = feed(tmp_path / "feed.csv", range(10))
    load_catalog(emptied_database, path)
    feed(path, range(9))
    monkeypatch.setattr("loader.chunks.CHUNK_ROWS", 4)
    seen = []

    def on_progress(done: int, total: int | None) -> None:
        if not seen:
            os.utime(path, (1, 1))
        seen.append(done)

    summary = load_catalog(emptied_database, path, sync=SyncOptions(), on_progress=on_progress)
    assert summary.refused is not None
    assert "was changed while it was read" in summary.refused.message
    assert counts(summary) == (9, 0, 0, 1)


def test_a_dry_run_returns_the_counts_of_a_sync_and_changes_nothing(emptied_database: Database, tmp_path: Path):
    load_catalog(emptied_database, feed(tmp_path / "feed.csv", range(10)))
    feed(tmp_path / "feed.csv", range(2, 12))
    tried = load_catalog(emptied_database, tmp_path / "feed.csv", sync=SyncOptions(), dry_run=True)
    assert tried.synced == SyncCounts(kept=8, marked=2, deleted=0, left=0)
    assert list(availability(emptied_database).values()) == ["in_stock"] * 10
    refused = load_catalog(
        emptied_database, tmp_path / "feed.csv", sync=SyncOptions(limit=MissingLimit(number=1)), dry_run=True
    )
    assert refused.refused is not None


def test_sync_marks_missing_products_in_several_transactions(
    emptied_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loader.sync.BATCH_ROWS", 7)
    load_catalog(emptied_database, feed(tmp_path / "feed.csv", range(50)))
    path = feed(tmp_path / "feed.csv", range(10))
    # A row without a title is rejected, and the product with the SKU of the row is kept.
    path.write_text(path.read_text() + "".join(f"{n},,5,\n" for n in range(10, 30)))
    assert counts(load_catalog(emptied_database, path, sync=ALL)) == (30, 20, 0, 0)
    with emptied_database.connect(Role.APP) as conn:
        times = conn.scalar(
            text("select count(distinct updated_at) from shop.product where availability = 'out_of_stock'")
        )
    assert times == 3


@pytest.mark.parametrize("delete", [False, True])
def test_more_than_32767_missing_products_can_be_numbered(emptied_database: Database, tmp_path: Path, delete: bool):
    load_catalog(emptied_database, feed(tmp_path / "feed.csv", range(3)))
    with emptied_database.connect(Role.APP) as conn, conn.begin():
        sync.begin(conn)
        assert sync.find_missing(conn, "main", delete=delete).to_change == 3
        conn.execute(text("update pg_temp.missing set number = number + 30000 + 2766"))
        assert sync.change(conn, 30_000, 5_000, delete=delete) == 3
        assert sync.change(conn, 3_000_000_000, 5_000, delete=delete) == 0


def test_the_next_sync_finishes_an_interrupted_sync(
    emptied_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loader.sync.BATCH_ROWS", 5)
    load_catalog(emptied_database, feed(tmp_path / "feed.csv", range(50)))
    feed(tmp_path / "feed.csv", range(25))
    change = sync.change

    def breaking(conn: Any, after: int, rows: int, *, delete: bool) -> int:
        if after == 10:
            with emptied_database.connect(None) as other:
                other.execute(
                    text("select pg_terminate_backend(:pid)"),
                    {"pid": conn.connection.driver_connection.info.backend_pid},
                )
        return change(conn, after, rows, delete=delete)

    monkeypatch.setattr(sync, "change", breaking)
    with pytest.raises(DatabaseError):
        load_catalog(emptied_database, tmp_path / "feed.csv", sync=ALL)
    assert list(availability(emptied_database).values()).count("out_of_stock") == 10
    monkeypatch.setattr(sync, "change", change)
    assert counts(load_catalog(emptied_database, tmp_path / "feed.csv", sync=ALL)) == (25, 15, 0, 10)


@pytest.mark.soak
def test_a_killed_and_repeated_sync_gives_the_same_catalog_as_an_uninterrupted_sync(
    databases: Any, template: str, environment: Callable[[Database], dict[str, str]], tmp_path: Path
):
    database = databases.copy(template)
    old, new = feed(tmp_path / "old.csv", range(10_000)), feed(tmp_path / "feed.csv", range(2_500, 15_000), "New")
    for catalog in ("main", "uninterrupted"):
        load_catalog(database, old, catalog=catalog)
    started = time.monotonic()
    load_catalog(database, new, catalog="uninterrupted", sync=SyncOptions(True, MissingLimit(share=1)))
    lasts = time.monotonic() - started
    env = {**environment(database), "PYTHONPATH": str(REPOSITORY)}
    arguments = [*COMMAND, "load", str(new), "--sync", "--delete", "--max-missing", "100%"]
    kills = 0
    for _ in range(3):
        with subprocess.Popen(
            arguments, env=env, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as loading:
            wait_until(lambda: busy(database) or loading.poll() is not None, 60, "the load's first statement")
            time.sleep(random.uniform(0, 0.8 * lasts))
            if loading.poll() is None:
                os.kill(loading.pid, signal.SIGKILL)
                kills += 1
        wait_until(lambda: not busy(database), 60, "the end of the killed load's transaction")
    assert kills
    done = windowshop(*arguments[3:], env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(rows(database, "main")) == 12_500
    assert rows(database, "main") == rows(database, "uninterrupted")


def busy(database: Database) -> bool:
    with database.connect(None) as conn:
        statement = (
            "select count(*) from pg_stat_activity where datname = current_database() "
            "and pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
        return bool(conn.scalar(text(statement)))


def rows(database: Database, catalog: str) -> list[tuple[Any, ...]]:
    with database.connect(Role.APP) as conn:
        statement = (
            "select to_jsonb(p) - array['product_id', 'catalog', 'created_at', 'updated_at'], (select array_agg(i.uri "
            "order by i.position) from shop.product_image i where i.product_id = p.product_id) "
            "from shop.product p where catalog = :catalog order by sku"
        )
        return [tuple(row) for row in conn.execute(text(statement), {"catalog": catalog})]
