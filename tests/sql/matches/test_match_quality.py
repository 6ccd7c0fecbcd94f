"""Groups of postings get a high F1, the score of the Shopee competition.

The postings have the file layout of the competition, and the starter model encodes them. The default thresholds were
chosen on other groups of postings. All images of a group are variants of one drawing, so they are easier to match than
the images of real sellers; see tests/support/matches/postings.py.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.engine import Database
from db.lifecycle.serving import serve_model
from db.roles import Role
from db.settings import Settings
from encoder import starter
from migrations.model_revisions import NewModel, add_model
from tests.support.databases import Databases, keep_logins
from tests.support.loading import load_catalog
from tests.support.matches.postings import Posting, write_postings
from tests.support.processes import windowshop

GROUPS = range(400, 480)


@pytest.fixture(scope="module")
def folder(public_folder: Path) -> Iterator[Path]:
    path = public_folder / "shopee"
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def postings(folder: Path) -> list[Posting]:
    return write_postings(folder, GROUPS)


@pytest.fixture(scope="module")
def shopee(databases: Databases, template: str, folder: Path, postings: list[Posting]) -> Database:
    """Returns a database of the postings after `windowshop encode` has encoded all of them."""
    database = databases.copy(template)
    home = folder / "home"
    add_model(
        database, Settings(home=home), NewModel(starter.NAME, starter.NAME, starter.revision(), starter.DIMENSION)
    )
    serve_model(database, starter.NAME)
    summary = load_catalog(database, folder / "train.csv")
    assert (summary.source, summary.inserted, summary.rejected) == ("shopee", len(postings), 0)
    address = database.url(None).set(drivername="postgresql").render_as_string(hide_password=False)
    keep_logins(database, home)
    env = {"WINDOWSHOP_DATABASE_URL": address, "WINDOWSHOP_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    done = windowshop("encode", "--once", env=env, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    return database


def rows(database: Database, statement: str, role: Role = Role.ANALYST) -> list[Any]:
    with database.connect(role) as conn, conn.begin():
        return list(conn.execute(text(statement)).all())


def test_the_default_thresholds_give_a_mean_f1_above_0_9(shopee: Database, postings: list[Posting]) -> None:
    [found] = rows(shopee, "select * from shop.match_f1()")
    print(found)
    assert (found.postings, found.groups) == (len(postings), len(GROUPS))
    assert found.mean_f1 > 0.9


def test_all_signals_together_give_a_higher_f1_than_each_signal_alone(shopee: Database) -> None:
    found = {row.signals: row for row in rows(shopee, "select * from shop.calibrate_matching()", Role.APP)}
    print(*found.values(), sep="\n")
    for alone in ("phash", "image", "title"):
        assert found["all"].f1_held_out > found[alone].f1_held_out
    assert found["all"].f1_held_out > 0.85


def test_a_submission_has_a_line_for_every_posting_and_the_line_contains_the_posting(
    shopee: Database, postings: list[Posting]
) -> None:
    lines = dict(rows(shopee, "select posting_id, matches from shop.submission()"))
    assert list(lines) == sorted(posting.posting_id for posting in postings)
    assert all(posting in matches.split(" ") for posting, matches in lines.items())
