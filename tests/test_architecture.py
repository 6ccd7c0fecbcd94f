"""What holds the code together, checked: who imports whom, and what a migrated database must look like."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from db import functions
from db.settings import Settings
from migrations.model_revisions import NewModel, add_model
from tests.support.databases import Databases

ROOT = Path(__file__).parent.parent
PACKAGES = ("db", "encoder", "loader", "migrations", "web", "windowshop")
FUNCTIONS = ROOT / "db" / "functions"
FUNCTION_FILES = sorted(FUNCTIONS.rglob("*.sql"))
MAX_LINES = 300
DATA = {  # never edited again
    f"migrations/versions/{path.name}" for path in (ROOT / "migrations" / "versions").glob("*.py")
}


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")
        yield from (ROOT / package).rglob("*.sql")


def test_imports_flow_one_way() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", ["windowshop.main", "db", "loader", "encoder", "migrations", "web"])
def test_a_command_line_starts_without_the_heavy_libraries(module: str) -> None:
    heavy = ("torch", "transformers", "sentence_transformers", "PIL", "pandas", "alembic")
    look = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_file_grows_beyond_what_can_be_read_at_a_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }
    assert set(long) <= DATA, long


def test_no_module_is_named_after_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "misc", "lib"}
    assert [path for path in sources() if path.stem in empty or path.parent.name in empty] == []


def test_every_function_file_is_listed_once() -> None:
    files = [path.relative_to(FUNCTIONS).with_suffix("").as_posix() for path in FUNCTION_FILES]
    assert sorted(functions.IN_CALL_ORDER) == sorted(files)


def test_no_upsert_reads_the_clock_for_a_stored_row() -> None:
    """now() in ON CONFLICT DO UPDATE cannot be sharded; the inserted row brings the time along."""
    for path in FUNCTION_FILES:
        for clause in re.findall(r"on conflict[^;]*?do update(.*?);", path.read_text(), flags=re.S | re.I):
            assert not re.search(r"\b(now|clock_timestamp|statement_timestamp)\(\)|current_timestamp", clause), (
                path.name
            )


def test_every_definer_function_pins_its_search_path_in_its_file() -> None:
    for path in FUNCTION_FILES:
        for head in re.findall(r"create or replace (?:function|procedure).*?\bas\b", path.read_text(), flags=re.S):
            if "security definer" in head:
                assert "set search_path = pg_catalog, pg_temp" in head, path.name


# --- the catalog of a migrated database that has a model


@pytest.fixture(scope="module")
def migrated(databases: Databases, template: str, public_folder: Path) -> Iterator[psycopg.Connection[Any]]:
    database = databases.copy(template)
    add_model(database, Settings(home=public_folder / "architecture"), NewModel("toy", "toy", "revision 1", 24))
    with psycopg.connect(databases.admin_url(str(database.write.database)), autocommit=True) as conn:
        yield conn


def test_every_function_of_a_file_is_in_the_database_and_the_owners(migrated: psycopg.Connection[Any]) -> None:
    written = {
        name
        for path in FUNCTION_FILES
        for name in re.findall(r"create or replace (?:function|procedure) (\w+\.\w+)", path.read_text())
    }
    present = dict(
        migrated.execute(
            "select pronamespace::regnamespace || '.' || proname, proowner::regrole::text from pg_proc "
            "where pronamespace::regnamespace::text in ('shop', 'shop_private')"
        ).fetchall()
    )
    # A constraint and generated columns stand on these, so they are frozen in revisions.
    assert set(present) - written == {"shop.product_id", "shop_private.keywords", "shop_private.query_id"}
    assert written - set(present) == set()
    assert set(present.values()) == {"shop_owner"}


def test_nothing_is_overloaded(migrated: psycopg.Connection[Any]) -> None:
    """A new defaulted argument would leave two functions, and calls ambiguous."""
    rows = migrated.execute(
        "select proname from pg_proc where pronamespace::regnamespace::text in ('shop', 'shop_private') "
        "group by 1 having count(*) > 1"
    )
    assert rows.fetchall() == []


def test_keys_of_product_tables_lead_with_the_product(migrated: psycopg.Connection[Any]) -> None:
    rows = migrated.execute(
        "select conrelid::regclass::text, conname, a.attname from pg_constraint c "
        "join pg_attribute a on a.attrelid = conrelid and a.attnum = conkey[1] "
        "where contype in ('p', 'u') and connamespace::regnamespace::text in ('shop', 'shop_private') "
        "and exists (select from pg_attribute p where p.attrelid = conrelid and p.attname = 'product_id')"
    ).fetchall()
    assert {table for table, _, _ in rows} >= {
        "shop.product",
        "shop.product_image",
        "shop.toy_image",
        "shop.toy_title",
        "shop_private.work",
    }
    assert {column for _, _, column in rows} == {"product_id"}


def test_no_unique_index_of_a_product_table_leaves_the_product_out(migrated: psycopg.Connection[Any]) -> None:
    rows = migrated.execute(
        "select indexrelid::regclass::text from pg_index i join pg_class c on c.oid = indrelid "
        "where relnamespace::regnamespace::text in ('shop', 'shop_private') and indisunique "
        "and exists (select from pg_attribute where attrelid = indrelid and attname = 'product_id') "
        "and not exists (select from pg_attribute where attrelid = indrelid and attname = 'product_id' "
        "and attnum = any (indkey))"
    )
    assert rows.fetchall() == []


def test_what_turns_a_query_into_a_vector_is_stable_and_stays_in_its_process(migrated: psycopg.Connection[Any]) -> None:
    """VOLATILE loses the vector index; IMMUTABLE would encode while planning; a parallel worker has no loopback."""
    rows = migrated.execute(
        "select proname, provolatile, proparallel, proisstrict, prosecdef from pg_proc "
        "where pronamespace = 'shop'::regnamespace and proname in ('clip_text', 'clip_image', 'product_vector')"
    ).fetchall()
    assert set(rows) == {
        ("clip_text", "s", "r", True, True),
        ("clip_image", "s", "r", True, True),
        ("product_vector", "s", "s", True, False),
    }


def test_views_show_what_the_asker_may_see(migrated: psycopg.Connection[Any]) -> None:
    rows = migrated.execute(
        "select relname from pg_class where relnamespace = 'shop'::regnamespace and relkind = 'v' "
        "and coalesce('security_invoker=true' = any (reloptions), false)"
    ).fetchall()
    assert {name for (name,) in rows} == {"searchable", "searchable_image", "image_vector", "title_vector"}


def test_every_foreign_key_to_a_product_cascades(migrated: psycopg.Connection[Any]) -> None:
    rows = migrated.execute(
        "select conrelid::regclass::text from pg_constraint where contype = 'f' and confdeltype <> 'c' "
        "and confrelid in ('shop.product'::regclass, 'shop.product_image'::regclass)"
    )
    assert rows.fetchall() == []


def test_a_foreign_key_has_an_index_to_be_checked_by(migrated: psycopg.Connection[Any]) -> None:
    """Otherwise deleting a product reads whole tables."""
    rows = migrated.execute(
        "select conrelid::regclass::text, conname from pg_constraint c where contype = 'f' "
        "and confrelid in ('shop.product'::regclass, 'shop.product_image'::regclass) and not exists "
        "(select from pg_index i where i.indrelid = conrelid and i.indpred is null "
        "and (string_to_array(i.indkey::text, ' ')::int2[])[1:cardinality(conkey)] = conkey)"
    )
    assert rows.fetchall() == []
