"""Plain alembic commands work, in a clone and with the configuration of the installed package."""

import re
from collections.abc import Callable
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.config import main as alembic

from db import schema
from db.engine import Database
from db.settings import Settings
from migrations.upgrade import ALEMBIC_INI, downgrade, drift, site_revisions, upgrade
from tests.support.databases import Databases, admin
from tests.support.schema_objects import catalog

ROOT = Path(__file__).parents[2]
Run = Callable[..., str]


PACKAGE = pytest.mark.parametrize("run", ["package"], indirect=True)


@pytest.fixture(params=["clone", "package"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Returns a function that runs an alembic command and returns what it prints."""
    monkeypatch.chdir(ROOT if request.param == "clone" else tmp_path)

    def call(*arguments: str) -> str:
        printed = StringIO()
        monkeypatch.setattr("alembic.config.Config", partial(Config, stdout=printed))
        alembic([*([] if request.param == "clone" else ["-c", str(ALEMBIC_INI)]), *arguments])
        return printed.getvalue()

    return call


@pytest.fixture
def site(
    with_toy: Database, environment: Callable[[Database], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> Database:
    for name, value in environment(with_toy).items():
        if name.startswith("WINDOWSHOP_"):
            monkeypatch.setenv(name, value)
    return with_toy


def test_reading_commands_list_the_revisions_of_the_project_and_of_the_site(
    run: Run, site: Database, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = catalog(site)
    history = run("history")
    assert "model_toy -> model_toy_index (site) (head)" in history
    assert f"-> {schema.HEAD} (" in history and "<base> -> 0001" in history
    assert "model_toy_index (site) (head)" in run("heads")
    assert "model_toy_index (head)" in run("current")
    assert "No new upgrade operations detected" in run("check")
    monkeypatch.setenv("WINDOWSHOP_HOME", str(tmp_path / "other home"))
    assert "model_toy_index (head)" in run("current")  # the revisions come from the database
    assert catalog(site) == before


@PACKAGE
def test_a_site_with_a_model_is_downgraded_and_upgraded(run: Run, site: Database, settings: Settings) -> None:
    before = catalog(site)
    run("downgrade", "-1")
    assert admin(site, "select count(*) from pg_indexes where indexname ~ '^toy_.*_hnsw$'") == [(0,)]
    assert "model_toy" in run("current").splitlines()
    run("upgrade", "head")
    assert catalog(site) == before
    drift(site, settings)
    run("upgrade", "head")  # nothing is left to do
    assert catalog(site) == before


@PACKAGE
def test_current_leaves_an_empty_database_unchanged_and_upgrade_creates_the_schema(
    run: Run, databases: Databases, environment: Callable[[Database], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = databases.open(databases.create())
    for name, value in environment(empty).items():
        if name.startswith("WINDOWSHOP_"):
            monkeypatch.setenv(name, value)
    assert empty.password is not None
    monkeypatch.setenv("WINDOWSHOP_GATEWAY_PASSWORD", empty.password(empty.roles.gateway))
    assert run("current") == ""
    assert admin(empty, "select to_regnamespace('shop') is null") == [(True,)]
    run("upgrade", "head")
    assert run("current").startswith(f"{schema.HEAD} (head)")
    assert admin(empty, "select count(*) from pg_foreign_server") == [(1,)]  # the gateway is set up


def test_the_documented_index_revision_is_applied_and_kept(
    with_toy: Database, settings: Settings, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "migrations.md").read_text(encoding="utf-8")
    [script] = [one for one in re.findall(r"```python\n(.*?)```", page, re.S) if "def upgrade" in one]
    file = site_revisions(settings.home) / "site_0003_colour_index.py"
    file.write_text(script.replace("model_starter_index", "model_toy_index"))
    upgrade(with_toy, settings)
    index = "select indisvalid from pg_index where indexrelid = to_regclass('shop.product_colour_price_idx')"
    assert admin(with_toy, index) == [(True,)]
    other = Settings(home=tmp_path / "other home")
    upgrade(with_toy, other)
    assert (site_revisions(other.home) / file.name).read_text() == file.read_text()
    downgrade(with_toy, other, "model_toy_index")
    assert admin(with_toy, index) == []


def test_the_migrations_page_names_every_operation_of_the_project() -> None:
    page = (ROOT / "docs" / "migrations.md").read_text(encoding="utf-8")
    files = (ROOT / "migrations" / "operations").glob("*.py")
    names = [
        name for file in files for name in re.findall(r'@Operations.register_operation\("(\w+)"\)', file.read_text())
    ]
    assert len(names) > 10
    assert [name for name in names if f"`op.{name}(" not in page] == []


@PACKAGE
def test_an_error_is_a_message_without_a_traceback_or_a_password(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WINDOWSHOP_DATABASE_URL", "postgresql://someone:secret@127.0.0.1:9/shop")
    with pytest.raises(SystemExit):
        run("current")
    said = capsys.readouterr()
    assert "FAILED: no database answers at 127.0.0.1:9/shop" in said.out + said.err
    assert "Traceback" not in said.err and "secret" not in said.out + said.err
