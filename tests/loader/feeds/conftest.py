"""A migrated database without products, one for all tests of a file, and an empty working folder."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.engine import Database
from db.roles import Role


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
