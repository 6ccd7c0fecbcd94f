import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from db import functions
from db.engine import Database
from db.kept_logins import KeptLogins
from db.roles import Roles
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
    """Returns a new database whose serving model is toy. `settings.home` has the revisions of this model."""
    name, home = toy_template
    shutil.copytree(home, settings.home)
    return databases.copy(name)


@pytest.fixture
def edit_files(monkeypatch: pytest.MonkeyPatch) -> EditFiles:
    """Returns a function that takes an `Edit`. After a call, upgrades apply the edited SQL of each function file."""
    original = functions.statements

    def edit_all(edit: Edit) -> None:
        def edited(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
            for name, sql in original(names):
                yield name, edit(name, sql)

        monkeypatch.setattr(functions, "statements", edited)

    return edit_all


class Tenants:
    """Creates a database for each site on a shared server. The names of a site's roles begin with the site's prefix."""

    def __init__(self, databases: Databases, home: Path) -> None:
        self._databases = databases
        self._home = home
        self._made: list[str] = []

    def database(self, prefix: str, login: str | None = None, template: str = "template1") -> Database:
        name = self._databases.create(template)
        self._made.append(name)
        url = make_url(self._databases.admin_url(name)).set(drivername="postgresql+psycopg")
        if login:
            self.admin(f"alter database {name} owner to {login}")
            url = url.set(username=login, password="managed")
        return Database(url, url, Roles(prefix), kept=KeptLogins(self._home, url))

    def admin(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self._databases.admin_url(database), autocommit=True) as conn:
            conn.execute(statement)  # type: ignore[arg-type]  # the statement comes from a test

    def drop(self, *prefixes: str) -> None:
        for name in self._made:
            self.admin(f"drop database if exists {name} with (force)")
        with psycopg.connect(self._databases.admin_url(), autocommit=True) as conn:
            for prefix in prefixes:
                for [name] in conn.execute("select rolname from pg_roles where starts_with(rolname, %s)", [prefix]):
                    conn.execute(f"drop owned by {name}; drop role {name}")  # type: ignore[arg-type]


@pytest.fixture
def tenants(databases: Databases, settings: Settings) -> Iterator[Tenants]:
    made = Tenants(databases, settings.home)
    yield made
    made.drop("managed_", "tenant_")


@pytest.fixture
def managed_database(tenants: Tenants) -> Database:
    tenants.admin("create role managed_admin login password 'managed'")
    return tenants.database("managed_", "managed_admin")
