"""`--sync` makes the catalog equal to the feed, or says why it does not; kills and mistakes cost no product."""

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

from db.engine import Database
from db.errors import DatabaseError, SettingsError
from db.roles import Role
from loader.errors import NothingToLoad, SourceDamaged
from loader.summary import LoadSummary, SyncCounts
from loader.sync import MissingLimit, SyncOptions
from loader.watch import parse_interval, watch
from tests.support.loading import load_catalog
from tests.support.processes import COMMAND, wait_until, windowshop

REPOSITORY = Path(__file__).parents[2]
HEADER = "sku,title,price,availability\n"
ALL = SyncOptions(limit=MissingLimit(share=1))


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def shared(databases: Any, template: str) -> Database:
    copied: Database = databases.copy(template)
    return copied


@pytest.fixture
def database(shared: Database) -> Database:
    with shared.connect(Role.APP) as conn, conn.begin():
        conn.execute(text("delete from shop.product"))
    return shared


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


def test_products_that_the_feed_does_not_name_are_out_of_stock(database: Database, tmp_path: Path):
    load_catalog(database, feed(tmp_path / "feed.csv", range(10)))
    load_catalog(database, feed(tmp_path / "other.csv", range(5)), catalog="other")
    summary = load_catalog(database, feed(tmp_path / "feed.csv", range(2, 12)), sync=SyncOptions())
    assert counts(summary) == (10, 2, 0, 0)
    assert (summary.inserted, summary.unchanged, summary.refused) == (2, 8, None)
    expected = {str(n): "out_of_stock" if n < 2 else "in_stock" for n in range(12)}
    assert availability(database) == expected
    assert set(availability(database, "other").values()) == {"in_stock"}

    again = load_catalog(database, tmp_path / "feed.csv", sync=SyncOptions())
    assert counts(again) == (10, 0, 0, 2)
    back = load_catalog(database, feed(tmp_path / "feed.csv", range(12)), sync=SyncOptions())
    assert (back.updated, counts(back)) == (2, (12, 0, 0, 0))
    assert set(availability(database).values()) == {"in_stock"}


def test_with_delete_those_products_are_gone_with_their_images_and_work(database: Database, tmp_path: Path):
    with database.connect(None) as conn, conn.begin():
        conn.execute(
            text(
                "insert into shop.model (name, source, revision, dimension) values ('m', 'm', '1', 8) "
                "on conflict do nothing"
            )
        )
    path = tmp_path / "feed.csv"
    path.write_text("sku,title,image\n" + "".join(f"{n},Title {n},{n}.jpg\n" for n in range(10)))
    load_catalog(database, path)
    path.write_text("sku,title,image\n" + "".join(f"{n},Title {n},{n}.jpg\n" for n in range(8)))
    summary = load_catalog(database, path, sync=SyncOptions(delete=True))
    assert counts(summary) == (8, 0, 2, 0)
    with database.connect(None) as conn:
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
def test_when_more_would_vanish_than_allowed_nothing_does(delete: bool, database: Database, tmp_path: Path):
    load_catalog(database, feed(tmp_path / "feed.csv", range(10)))
    summary = load_catalog(database, feed(tmp_path / "feed.csv", range(3, 9)), sync=SyncOptions(delete=delete))
    assert counts(summary) == (6, 0, 0, 4)
    assert summary.refused is not None
    what = "deleted" if delete else "marked as out of stock"
    assert summary.refused.message == (
        "--sync: feed.csv does not name 4 of 10 products of catalog main, more than --max-missing 20% allows; "
        f"nothing was {what}"
    )
    assert summary.refused.hint == "Is the file whole? If they are to go: --max-missing 4"
    assert set(availability(database).values()) == {"in_stock"}
    allowed = load_catalog(database, tmp_path / "feed.csv", sync=SyncOptions(delete, MissingLimit.parse("4")))
    assert counts(allowed) == ((6, 0, 4, 0) if delete else (6, 4, 0, 0))


def test_new_products_of_the_feed_do_not_raise_the_limit(database: Database, tmp_path: Path):
    load_catalog(database, feed(tmp_path / "feed.csv", range(10)))
    summary = load_catalog(database, feed(tmp_path / "feed.csv", range(100, 200)), sync=SyncOptions())
    assert summary.refused is not None
    assert "does not name 10 of 10 products" in summary.refused.message
    assert (summary.inserted, counts(summary)) == (100, (100, 0, 0, 10))


def test_products_marked_long_ago_do_not_count_against_the_limit(database: Database, tmp_path: Path):
    load_catalog(database, feed(tmp_path / "feed.csv", range(10)))
    for fewer in (9, 8, 7, 6, 5, 4):  # each time one of the remaining products
        assert counts(load_catalog(database, feed(tmp_path / "feed.csv", range(fewer)), sync=SyncOptions()))[1] == 1


def test_a_rejected_row_keeps_its_product(database: Database, tmp_path: Path):
    path = feed(tmp_path / "feed.csv", range(10))
    load_catalog(database, path)
    path.write_bytes(
        HEADER.encode()
        + b"0,,5,in_stock\n1,One,-5,in_stock\n2,Caf\xe9,5,in_stock\n3,Three\n4,Four,5,maybe\n5,Five,5,\n5,Five,5,\n"
    )
    summary = load_catalog(database, path, sync=ALL)
    assert (summary.rejected, summary.refused) == (6, None)
    assert counts(summary) == (6, 4, 0, 0)
    found = availability(database)
    assert [found[str(n)] for n in range(10)] == [*["in_stock"] * 5, None, *["out_of_stock"] * 4]


@pytest.mark.parametrize("row", [b",No SKU,5,\n", b'"6,Open,5,\n', b"\xe9,Six,5,\n", b"x" * 2_000_000 + b"\n"])
def test_a_rejected_row_without_a_usable_sku_stops_the_sync(row: bytes, database: Database, tmp_path: Path):
    path = feed(tmp_path / "feed.csv", range(10))
    load_catalog(database, path)
    path.write_bytes(HEADER.encode() + row + b"0,Zero,5,in_stock\n")
    summary = load_catalog(database, path, sync=ALL)
    assert summary.refused is not None
    assert "rows of feed.csv that do not say which product they are: 1; nothing was marked" in summary.refused.message
    assert (summary.updated, counts(summary)) == (1, (1, 0, 0, 9))
    assert set(availability(database).values()) == {"in_stock"}


def test_a_file_that_cannot_be_read_to_its_end_changes_nothing_else(database: Database, tmp_path: Path):
    load_catalog(database, feed(tmp_path / "feed.csv", range(10)))
    (tmp_path / "feed.xml").write_text("<rss><item><id>1</id><title>One</title></item>")
    with pytest.raises(SourceDamaged):
        load_catalog(database, tmp_path / "feed.xml", sync=ALL)
    (tmp_path / "empty.csv").write_text(HEADER)
    with pytest.raises(NothingToLoad):
        load_catalog(database, tmp_path / "empty.csv", sync=ALL)
    assert list(availability(database).values()) == ["in_stock"] * 10


def test_a_file_that_changes_while_it_is_read_is_not_synced_with(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = feed(tmp_path / "feed.csv", range(10))
    load_catalog(database, path)
    feed(path, range(9))
    monkeypatch.setattr("loader.chunks.CHUNK_ROWS", 4)
    seen = []

    def on_progress(done: int, total: int | None) -> None:
        if not seen:
            os.utime(path, (1, 1))
        seen.append(done)

    summary = load_catalog(database, path, sync=SyncOptions(), on_progress=on_progress)
    assert summary.refused is not None
    assert "was changed while it was read" in summary.refused.message
    assert counts(summary) == (9, 0, 0, 1)


def test_a_dry_run_counts_what_a_sync_does_and_changes_nothing(database: Database, tmp_path: Path):
    load_catalog(database, feed(tmp_path / "feed.csv", range(10)))
    feed(tmp_path / "feed.csv", range(2, 12))
    tried = load_catalog(database, tmp_path / "feed.csv", sync=SyncOptions(), dry_run=True)
    assert tried.synced == SyncCounts(kept=8, marked=2, deleted=0, left=0)
    assert list(availability(database).values()) == ["in_stock"] * 10
    refused = load_catalog(
        database, tmp_path / "feed.csv", sync=SyncOptions(limit=MissingLimit(number=1)), dry_run=True
    )
    assert refused.refused is not None


def test_many_products_go_in_short_transactions(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("loader.sync.BATCH_ROWS", 7)
    load_catalog(database, feed(tmp_path / "feed.csv", range(50)))
    path = feed(tmp_path / "feed.csv", range(10))
    path.write_text(path.read_text() + "".join(f"{n},,5,\n" for n in range(10, 30)))  # rejected, so kept
    assert counts(load_catalog(database, path, sync=ALL)) == (30, 20, 0, 0)
    with database.connect(Role.APP) as conn:
        times = conn.scalar(
            text("select count(distinct updated_at) from shop.product where availability = 'out_of_stock'")
        )
    assert times == 3


def test_a_sync_that_breaks_off_is_finished_by_the_next(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from db.catalog import sync

    monkeypatch.setattr("loader.sync.BATCH_ROWS", 5)
    load_catalog(database, feed(tmp_path / "feed.csv", range(50)))
    feed(tmp_path / "feed.csv", range(25))
    change = sync.change

    def breaking(conn: Any, after: int, rows: int, *, delete: bool) -> int:
        if after == 10:
            with database.connect(None) as other:
                other.execute(
                    text("select pg_terminate_backend(:pid)"),
                    {"pid": conn.connection.driver_connection.info.backend_pid},
                )
        return change(conn, after, rows, delete=delete)

    monkeypatch.setattr(sync, "change", breaking)
    with pytest.raises(DatabaseError):
        load_catalog(database, tmp_path / "feed.csv", sync=ALL)
    assert list(availability(database).values()).count("out_of_stock") == 10
    monkeypatch.setattr(sync, "change", change)
    assert counts(load_catalog(database, tmp_path / "feed.csv", sync=ALL)) == (25, 15, 0, 10)


def test_a_sync_that_is_killed_anywhere_and_run_again_equals_one_that_was_not(
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
        wait_until(lambda: not busy(database), 30, "the end of the killed load's transaction")
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


def test_the_command_line_says_what_was_kept_marked_and_deleted(
    databases: Any, template: str, environment: Callable[[Database], dict[str, str]], tmp_path: Path
):
    database = databases.copy(template)
    env = {**environment(database), "PYTHONPATH": str(REPOSITORY), "COLUMNS": "120"}
    feed(tmp_path / "feed.csv", range(10))
    assert windowshop("load", "feed.csv", "--sync", env=env, cwd=tmp_path).returncode == 0
    feed(tmp_path / "feed.csv", range(9))
    done = windowshop("load", "feed.csv", "--sync", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("sync: 9 kept, 1 marked out of stock, 0 deleted, 0 left as they were\n")
    feed(tmp_path / "feed.csv", range(2))
    done = windowshop("load", "feed.csv", "--sync", "--delete", env=env, cwd=tmp_path)
    assert done.returncode == 6
    assert "error: --sync: feed.csv does not name 8 of 10 products" in done.stderr
    assert "--max-missing 8" in done.stderr
    for wrong in (["--delete"], ["--sync", "--max-missing", "101%"], ["--sync", "--limit", "3"], ["--watch", "soon"]):
        assert windowshop("load", "feed.csv", *wrong, env=env, cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("written", "vanishing", "there", "allowed"),
    [
        ("20%", 20, 100, True),
        ("20%", 21, 100, False),
        ("0%", 1, 100, False),
        ("0", 0, 0, True),
        ("2.5 %", 25, 1000, True),
        ("500", 500, 501, True),
        ("500", 501, 100_000, False),
    ],
)
def test_a_limit_is_a_share_or_a_number(written: str, vanishing: int, there: int, allowed: bool):
    assert MissingLimit.parse(written).allows(vanishing, there) is allowed


@pytest.mark.parametrize("written", ["", "-1", "120%", "half", "1e3", "20%%"])
def test_a_limit_that_is_neither_is_refused(written: str):
    with pytest.raises(SettingsError, match="neither a share nor a number"):
        MissingLimit.parse(written)


def test_an_interval_is_a_number_and_its_unit():
    assert [parse_interval(written) for written in ("30s", "15m", "2h", "1.5 d")] == [30, 900, 7200, 129_600]
    for wrong in ("", "15", "0s", "-1m", "soon"):
        with pytest.raises(SettingsError, match="is no interval"):
            parse_interval(wrong)


def test_watching_loads_again_when_the_file_changes_and_survives_failed_loads(database: Database, tmp_path: Path):
    path = feed(tmp_path / "feed.csv", range(10))
    said: list[str] = []

    def removed() -> None:
        path.unlink()

    steps = iter(
        [
            lambda: None,  # nothing happened: not loaded again
            lambda: feed(path, range(9)),
            removed,
            lambda: feed(path, range(3)),
            lambda: feed(path, range(9)),
        ]
    )

    def sleep(seconds: float) -> None:
        assert seconds == 60
        step = next(steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    with pytest.raises(KeyboardInterrupt):
        watch(lambda: load_catalog(database, path, sync=SyncOptions()), path, every=60, say=said.append, sleep=sleep)
    assert [line[20:].split("; sync: ")[-1] for line in said] == [
        "10 kept, 0 marked out of stock, 0 deleted, 0 left as they were",
        "9 kept, 1 marked out of stock, 0 deleted, 0 left as they were",
        f"error: cannot read {path}: No such file or directory",
        "3 kept, 0 marked out of stock, 0 deleted, 7 left as they were; --sync: feed.csv does not name 6 of 9 products "
        "of catalog main, more than --max-missing 20% allows; nothing was marked as out of stock",
        "9 kept, 0 marked out of stock, 0 deleted, 1 left as they were",
    ]
    assert all("\n" not in line for line in said)


def test_a_watching_process_ends_by_interrupt(
    databases: Any, template: str, environment: Callable[[Database], dict[str, str]], tmp_path: Path
):
    database = databases.copy(template)
    env = {**environment(database), "PYTHONPATH": str(REPOSITORY)}
    feed(tmp_path / "feed.csv", range(3))
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*COMMAND, "load", "feed.csv", "--watch", "0.1s"], env=env, cwd=tmp_path, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: log.read_text().count("\n") == 1, 60, "the first load")
        feed(tmp_path / "feed.csv", range(4))
        wait_until(lambda: log.read_text().count("\n") == 2, 60, "the second load")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert "1 new, 0 changed, 3 unchanged" in log.read_text().splitlines()[1]
