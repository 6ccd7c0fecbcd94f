"""Loader tests run in an empty working folder. In each file, the tests that change only products share a database."""

from pathlib import Path

import pytest
from sqlalchemy import text

from db.engine import Database
from db.roles import Role
from tests.support.databases import Databases


@pytest.fixture(autouse=True)
def empty_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def _shared_database(databases: Databases, template: str) -> Database:
    return databases.copy(template)


@pytest.fixture
def emptied_database(_shared_database: Database) -> Database:
    """Returns the database that the tests of a file share, after all its products are deleted. A new copy for each test
    would be slower."""
    with _shared_database.connect(Role.APP) as conn, conn.begin():
        conn.execute(text("delete from shop.product"))
    return _shared_database
