"""`windowshop load` prints counts and errors and ends with the documented exit code."""

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from db.engine import Database
from tests.support.processes import COMMAND, wait_until, windowshop

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def env(database: Database, environment: Callable[[Database], dict[str, str]]) -> dict[str, str]:
    return {**environment(database), "PYTHONPATH": str(REPOSITORY), "COLUMNS": "120"}


def test_loading_a_good_catalog_prints_counts_and_exits_with_code_0(env: dict[str, str], tmp_path: Path):
    (tmp_path / "goods.csv").write_text("sku,title,image\n1,Red bag,a.jpg\n2,Blue bag,\n")
    done = windowshop("load", "goods.csv", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == (
        "2 rows of goods.csv (delimited), catalog main: 2 new, 0 changed, 0 unchanged, 0 rejected; images changed: 1"
    )
    assert done.stderr.split("\n") == [
        "warning: image files that are not on this disk; the encoder will report these files: 1",
        "warning: products without an image; image search will not find these products: 1",
        "warning: no product has a price; name the column with --map price=COLUMN",
        "",
    ]


def test_rejected_rows_give_one_error_line_and_exit_code_6(env: dict[str, str], tmp_path: Path):
    (tmp_path / "goods.csv").write_text("sku,title,price,image\n1,Red,5,http://a.example/b\n2,Blue,-5,\n")
    done = windowshop("load", "goods.csv", "--dry-run", "--strict", env=env, cwd=tmp_path)
    assert done.returncode == 6
    assert "Dry run: nothing was changed." in done.stdout
    assert done.stderr == (
        "error: 1 of 2 rows rejected, listed in goods.rejects.csv; the other 1 would be loaded\n"
        '  The first rejected row: line 3: price "-5" is negative. Correct the rows and load the file again.\n'
    )


def test_a_load_of_a_damaged_file_prints_the_number_of_stored_rows_and_the_error(env: dict[str, str], tmp_path: Path):
    items = "".join(f"<item><id>{n}</id><title>Bag {n}</title></item>" for n in range(5010))
    (tmp_path / "feed.xml").write_text(f"<rss><channel>{items}<item><id>x</wrong></channel></rss>")
    done = windowshop("load", "feed.xml", env=env, cwd=tmp_path)
    assert done.returncode == 6
    assert "error: feed.xml is not well-formed XML" in done.stderr
    found = re.search(
        r"(\S+) rows of feed.xml .* (\S+) new, .* ended early: (\S+) rows were read but not stored", done.stdout
    )
    assert found, done.stdout
    read, stored, rest = (int(number.replace(",", "")) for number in found.groups())
    assert (read, stored, rest) == (5010, 5010, 0)
    assert f"{stored:,} rows are loaded; run the same command again" in done.stderr
    again = windowshop("load", "feed.xml", env=env, cwd=tmp_path)
    assert f" {stored:,} unchanged" in again.stdout


def test_an_interrupted_load_prints_the_number_of_stored_rows(env: dict[str, str], database: Database, tmp_path: Path):
    (tmp_path / "goods.csv").write_text("sku,title\n1,Red bag\n2,Blue bag\n")
    assert windowshop("load", "goods.csv", env=env, cwd=tmp_path).returncode == 0
    (tmp_path / "goods.csv").write_text("sku,title\n1,Green bag\n2,Blue bag\n")
    with database.connect(None) as conn, conn.begin():
        conn.execute(text("select from shop.product for update"))
        loading = subprocess.Popen(
            [*COMMAND, "load", "goods.csv"],
            env=env,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        waits = text(
            "select exists (select from pg_stat_activity where wait_event_type = 'Lock' "
            "and datname = current_database() and backend_type = 'client backend')"
        )
        with database.connect(None) as other:
            other.execution_options(isolation_level="AUTOCOMMIT")
            wait_until(lambda: other.scalar(waits) or loading.poll() is not None, 60, "a load that waits for a lock")
        loading.send_signal(signal.SIGINT)
    output, errors = loading.communicate(timeout=60)
    assert loading.returncode not in (0, 6), errors
    assert "2 rows of goods.csv (delimited), catalog main: 0 new, 1 changed, 1 unchanged, 0 rejected" in output
    assert "ended early: 0 rows were read but not stored" in output


def test_a_missing_file_gives_one_error_without_a_traceback(env: dict[str, str], tmp_path: Path):
    done = windowshop("load", "missing.csv", env=env, cwd=tmp_path)
    assert done.returncode == 6
    assert done.stdout == ""
    assert done.stderr == ("error: cannot read missing.csv: No such file or directory\n  Check path and permissions.\n")


def test_the_help_shows_examples_of_formats_and_options(env: dict[str, str]):
    shown = windowshop("load", "--help", env=env).stdout
    for example in (
        "windowshop load products.csv",
        "--map sku=Code",
        "feed.xml.gz",
        "products_export.csv",
        "products.jsonl",
        "shopee-product-matching/",
        "images/",
        "--sync --watch",
    ):
        assert example in shown
