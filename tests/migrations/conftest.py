import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from db import functions
from db.engine import Database
from db.settings import Settings
from tests.support.databases import Databases

Edit = Callable[[str, str], str]  # maps the name and the SQL of a function file to its new SQL
EditFiles = Callable[[Edit], None]


@pytest.fixture
def empty(databases: Databases) -> Database:
    """Returns a new database without any objects."""
    return databases.open(databases.create())


@pytest.fixture
def with_toy(databases: Databases, toy_template: tuple[str, Path], settings: Settings) -> Database:
    """Returns a fresh database that serves the toy model. `settings.home` has the model's revisions."""
    name, home = toy_template
    shutil.copytree(home, settings.home)
    return databases.copy(name)


@pytest.fixture
def edit_files(monkeypatch: pytest.MonkeyPatch) -> EditFiles:
    """Returns a function that takes an `Edit`. The next upgrade then applies the edited SQL of each function file."""
    original = functions.statements

    def edit_all(edit: Edit) -> None:
        def edited(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
            for name, sql in original(names):
                yield name, edit(name, sql)

        monkeypatch.setattr(functions, "statements", edited)

    return edit_all
