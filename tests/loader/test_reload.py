"""A second load does not write unchanged rows. Only changed titles and images are encoded again. A dry run changes
nothing. No product is lost when a load is killed or interrupted."""

import os
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from db.catalog import validation
from db.catalog.store import UpsertCounts
from db.engine import Database
from db.errors import DatabaseError
from db.roles import Role
from loader import chunk_writer
from loader.sources import open_source
from loader.summary import LoadSummary
from tests.support.loading import load_catalog
from tests.support.processes import COMMAND, wait_until

REPOSITORY = Path(__file__).parents[2]
HEADER = "sku,title,price,image\n"
ROWS = ["1,Red bag,5,a.jpg\n", "2,Blue bag,6,b.jpg|c.jpg\n", "3,Green bag,7,\n"]


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    path = tmp_path / "goods.csv"
    path.write_text(HEADER + "".join(ROWS))
    return path


@pytest.fixture
def encoded_database(database: Database, catalog: Path) -> Database:
    """Returns a database with the loaded catalog and without work items, as after encoding."""
    with database.connect(None) as conn, conn.begin():
        conn.execute(text("insert into shop.model (name, source, revision, dimension) values ('m', 'm', '1', 8)"))
    load_catalog(database, catalog)
    assert len(work(database)) == 6  # three titles, three images
    with database.connect(None) as conn, conn.begin():
        conn.execute(text("delete from shop_private.work"))
    return database


def work(database: Database) -> list[tuple[Any, ...]]:
    with database.connect(None) as conn:
        found = conn.execute(
            text(
                "select p.sku, w.part::text, w.position from shop_private.work w "
                "join shop.product p using (product_id) order by 1, 2, 3"
            )
        )
        return [tuple(row) for row in found]


def versions(database: Database) -> list[tuple[Any, ...]]:
    """Returns the physical version of each row, which changes with every write."""
    with database.connect(None) as conn:
        found = conn.execute(
            text(
                "select 'p', sku, 0, xmin::text, ctid::text from shop.product union all "
                "select 'i', p.sku, i.position, i.xmin::text, i.ctid::text from shop.product_image i "
                "join shop.product p using (product_id) order by 1, 2, 3"
            )
        )
        return [tuple(row) for row in found]


def contents(database: Database, catalog: str = "main") -> list[tuple[Any, ...]]:
    with database.connect(Role.APP) as conn:
        found = conn.execute(
            text(
                "select sku, title, price, attributes::text, (select array_agg(uri order by position) from "
                "shop.product_image i where i.product_id = p.product_id) from shop.product p "
                "where catalog = :catalog order by sku"
            ),
            {"catalog": catalog},
        )
        return [tuple(row) for row in found]


def test_a_second_load_of_the_same_file_writes_no_row_and_queues_no_work(encoded_database: Database, catalog: Path):
    before = versions(encoded_database)
    summary = load_catalog(encoded_database, catalog)
    assert (summary.inserted, summary.updated, summary.unchanged, summary.images) == (0, 0, 3, 0)
    assert versions(encoded_database) == before
    assert work(encoded_database) == []


@pytest.mark.parametrize(
    ("old", "new", "queued", "images"),
    [
        ("5,a.jpg", "5.50,a.jpg", [], 0),
        ("5,a.jpg", "5 EUR,a.jpg", [], 0),
        ("Red bag", "Red leather bag", [("1", "title", 0)], 0),
        ("a.jpg", "z.jpg", [("1", "image", 0)], 1),
        ("c.jpg", "z.jpg", [("2", "image", 1)], 1),
        ("b.jpg|c.jpg", "b.jpg", [], 1),
        ("7,", "7,n.jpg", [("3", "image", 0)], 1),
    ],
)
def test_a_change_queues_only_items_that_must_be_encoded_again(
    encoded_database: Database, catalog: Path, old: str, new: str, queued: list[tuple[Any, ...]], images: int
):
    catalog.write_text(catalog.read_text().replace(old, new, 1))
    summary = load_catalog(encoded_database, catalog)
    assert summary.updated == (0 if images else 1)
    assert (summary.inserted, summary.updated + summary.unchanged) == (0, 3)
    assert summary.images == images
    assert work(encoded_database) == queued


def test_products_missing_from_the_file_are_kept(encoded_database: Database, catalog: Path):
    catalog.write_text(HEADER + "4,New bag,1,\n")
    assert load_catalog(encoded_database, catalog).inserted == 1
    assert [row[0] for row in contents(encoded_database)] == ["1", "2", "3", "4"]


def test_a_dry_run_returns_the_counts_of_a_load_and_changes_nothing(encoded_database: Database, catalog: Path):
    before, roots = versions(encoded_database), image_roots(encoded_database)
    catalog.write_text(HEADER + "1,Red bag,9,a.jpg\n" + ROWS[1] + "4,New,1,n.jpg\n5,,1,\n4,Again,1,\n")
    tried = load_catalog(encoded_database, catalog, dry_run=True)
    assert versions(encoded_database) == before
    assert image_roots(encoded_database) == roots
    assert work(encoded_database) == []
    done = load_catalog(encoded_database, catalog)
    for name in ("read", "rejected", "inserted", "updated", "unchanged", "images", "missing_files"):
        assert getattr(tried, name) == getattr(done, name), name
    assert (tried.read, tried.rejected, tried.inserted, tried.updated, tried.unchanged) == (5, 2, 1, 1, 1)


def image_roots(database: Database) -> list[str]:
    with database.connect(None) as conn:
        return list(conn.scalars(text("select folder from shop_private.image_root")))


def test_a_limit_reads_only_the_first_rows(database: Database, catalog: Path):
    summary = load_catalog(database, catalog, limit=2)
    assert (summary.read, summary.inserted) == (2, 2)
    assert [row[0] for row in contents(database)] == ["1", "2"]


def test_the_same_sku_in_two_catalogs_is_two_products(database: Database, catalog: Path):
    load_catalog(database, catalog)
    assert load_catalog(database, catalog, catalog="other").inserted == 3
    assert contents(database) == contents(database, "other")


def test_counts_add_up_and_duplicates_are_found_across_chunks(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loader.chunks.CHUNK_ROWS", 3)
    lines = [f"{n % 8},Title {n},{n},\n" for n in range(20)]
    lines[1] = "1,,1,\n"  # if several rows have one SKU, the first good row is kept
    (tmp_path / "goods.csv").write_text(HEADER + "".join(lines))
    summary = load_catalog(database, tmp_path / "goods.csv")
    assert (summary.read, summary.rejected, summary.inserted, summary.accepted) == (20, 12, 8, 8)
    assert summary.without_image == 8
    titles = {row[0]: row[1] for row in contents(database)}
    assert titles == {str(n): f"Title {n if n != 1 else 9}" for n in range(8)}
    rejects = (tmp_path / "goods.rejects.csv").read_text().splitlines()
    assert "11,1,SKU 1 is on line" not in "\n".join(rejects)
    assert "10,0,SKU 0 is on line 2 already" in rejects
    assert "19,1,SKU 1 is on line 11 already" in rejects


def test_rejects_replace_the_content_of_a_given_file(database: Database, tmp_path: Path):
    (tmp_path / "goods.csv").write_text(HEADER + "1,,5,\n")
    (tmp_path / "mine.csv").write_text("earlier")
    summary = load_catalog(database, tmp_path / "goods.csv", rejects=tmp_path / "mine.csv")
    assert summary.rejects_file == tmp_path / "mine.csv"
    assert (tmp_path / "mine.csv").read_text().splitlines() == ["line,sku,reason", "2,1,title is empty"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["goods.csv", "mine.csv"]


def test_a_row_that_violates_a_check_of_the_database_is_rejected_alone(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(validation.MAX_LENGTHS, "title", 5000)
    rows = [f"{n},{'x' * (3000 if n in (3, 40) else 10)},1,\n" for n in range(50)]
    (tmp_path / "goods.csv").write_text(HEADER + "".join(rows))
    summary = load_catalog(database, tmp_path / "goods.csv")
    assert (summary.read, summary.rejected, summary.inserted) == (50, 2, 48)
    assert summary.without_image == 48
    assert "product_title_check" in (tmp_path / "goods.rejects.csv").read_text()


def test_two_concurrent_loads_of_the_same_rows_both_finish(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loader.chunks.CHUNK_ROWS", 200)
    rows = [f"{n},Title {n},{n}," for n in range(2000)]
    for name, suffix, order in (("a", "x.jpg\n", rows), ("b", "y.jpg\n", rows[::-1])):
        (tmp_path / f"{name}.csv").write_text(HEADER + "".join(row + suffix for row in order))
    failures: list[BaseException] = []

    def load(name: str) -> None:
        try:
            for _ in range(3):
                assert load_catalog(database, tmp_path / f"{name}.csv").accepted == 2000
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=load, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(contents(database)) == 2000


@pytest.mark.soak
def test_a_load_that_is_killed_and_repeated_stores_the_same_as_an_undisturbed_load(
    database: Database, environment: Callable[[Database], dict[str, str]], tmp_path: Path
):
    path = tmp_path / "goods.csv"
    path.write_text(HEADER + "".join(f"{n},Title {n},{n}.50,{n}.jpg\n" for n in range(60_000)))
    arguments = [*COMMAND, "load", str(path)]
    env = {**environment(database), "PYTHONPATH": str(REPOSITORY)}
    loading = subprocess.Popen(arguments, env=env, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: count(database), 60, "the first chunk")
    os.kill(loading.pid, signal.SIGKILL)
    loading.wait()
    wait_until(lambda: not others_connected(database), 60, "the end of the killed load's transaction")
    stored = count(database)
    assert 0 < stored < 60_000
    summary = load_catalog(database, path)
    assert (summary.unchanged, summary.inserted, summary.updated) == (stored, 60_000 - stored, 0)
    load_catalog(database, path, catalog="uninterrupted")
    assert contents(database) == contents(database, "uninterrupted")
    assert contents(database)[0] == ("0", "Title 0", Decimal("0.50"), "{}", ["0.jpg"])


def test_a_broken_connection_is_an_error_and_the_next_load_writes_only_the_remaining_rows(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loader.chunks.CHUNK_ROWS", 100)
    path = tmp_path / "goods.csv"
    path.write_text(HEADER + "".join(f"{n},Title {n},,\n" for n in range(1000)))
    chunks = 0
    upsert = chunk_writer.upsert

    def breaking(conn: Connection, **arguments: Any) -> UpsertCounts:
        nonlocal chunks
        chunks += 1
        if chunks == 4:
            with database.connect(None) as other:
                pid = conn.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
                other.execute(text("select pg_terminate_backend(:pid)"), {"pid": pid})
        return upsert(conn, **arguments)

    monkeypatch.setattr(chunk_writer, "upsert", breaking)
    summaries: list[LoadSummary] = []
    with pytest.raises(DatabaseError) as broken:
        load_catalog(database, path, on_failure=summaries.append)
    stored = count(database)  # rows of earlier chunks, and of chunks that were written at the same time
    assert 200 <= stored <= 600
    assert [summary.accepted for summary in summaries] == [stored]
    assert f"{stored} rows are loaded; run the same command again" in (broken.value.hint or "")
    summary = load_catalog(database, path)
    assert (summary.unchanged, summary.inserted) == (stored, 1000 - stored)


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_interrupted_load_reports_the_number_of_stored_rows(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dry_run: bool
):
    monkeypatch.setattr("loader.chunks.CHUNK_ROWS", 100)
    monkeypatch.setattr("loader.chunks.PROGRESS_ROWS", 50)
    path = tmp_path / "goods.csv"
    path.write_text(HEADER + "0,,,\n" + "".join(f"{n},Title {n},,\n" for n in range(1, 1000)))
    summaries: list[LoadSummary] = []

    def interrupt(done: int, total: int | None) -> None:
        if total and done > 0.9 * total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_catalog(database, path, on_progress=interrupt, on_failure=summaries.append, dry_run=dry_run)
    [summary] = summaries
    assert summary.accepted >= 500
    assert count(database) == (0 if dry_run else summary.accepted)
    assert (summary.rejected, summary.ended_early) == (1, True)
    assert summary.first_reject is not None
    rest = summary.read - summary.accepted - 1
    assert summary.line().endswith(f"; ended early: {rest} rows were read but not stored")
    assert set(summary.columns) == {"sku", "title", "price", "image"}


def count(database: Database) -> int:
    with database.connect(Role.APP) as conn:
        found: int = conn.scalar(text("select count(*) from shop.product where catalog = 'main'"))  # type: ignore[assignment]
        return found


def others_connected(database: Database) -> bool:
    with database.connect(None) as conn:
        return bool(
            conn.scalar(
                text(
                    "select count(*) from pg_stat_activity where datname = current_database() "
                    "and pid <> pg_backend_pid() and backend_type = 'client backend'"
                )
            )
        )


@pytest.mark.soak
def test_reading_a_table_of_100_000_rows_needs_less_than_6_mib_of_memory(tmp_path: Path):
    path = tmp_path / "goods.csv"
    with path.open("w") as file:
        file.write(HEADER)
        for n in range(100_000):
            file.write(f'{n},"Title, {"x" * 100}",5,a.jpg\n')
        file.write('unclosed,"' + "\n" * 10 + "x" * (8 << 20))
    tracemalloc.start()
    try:
        read = sum(1 for _ in open_source(path).rows())
        assert read >= 100_001
        assert tracemalloc.get_traced_memory()[1] < 6 << 20
    finally:
        tracemalloc.stop()


def test_importing_the_load_command_imports_no_database_library_and_no_pydantic():
    code = "import sys, windowshop.load; print(*{'sqlalchemy', 'psycopg', 'pydantic', 'sqlite3'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
