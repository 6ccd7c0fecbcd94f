"""`windowshop load` prints counts and errors and ends with the documented exit code."""

from collections.abc import Callable
from pathlib import Path

import pytest

from db.engine import Database
from tests.support.processes import windowshop

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
        "warning: images not on this disk, which the encoder will report: 1",
        "warning: products without an image, which image search will not find: 1",
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


def test_a_missing_file_gives_one_error_without_a_traceback(env: dict[str, str], tmp_path: Path):
    done = windowshop("load", "missing.csv", env=env, cwd=tmp_path)
    assert done.returncode == 6
    assert done.stdout == ""
    assert done.stderr == ("error: cannot read missing.csv: No such file or directory\n  Check path and permissions.\n")


def test_the_help_shows_an_example_for_each_format(env: dict[str, str]):
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
