"""The functions, tables, sequences and views of a migrated database follow rules. Each test checks one rule."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from db import functions
from db.settings import Settings
from migrations.function_files import FROZEN
from migrations.model_revisions import NewModel, add_model
from tests.support.databases import Databases

FUNCTIONS = Path(functions.__file__).parent
FUNCTION_FILES = sorted(FUNCTIONS.rglob("*.sql"))


def test_every_function_file_is_listed_once() -> None:
    files = [path.relative_to(FUNCTIONS).with_suffix("").as_posix() for path in FUNCTION_FILES]
    assert sorted(functions.IN_CALL_ORDER) == sorted(files)


def test_no_do_update_clause_of_an_upsert_reads_the_clock() -> None:
    """An upsert that calls now() in DO UPDATE cannot be sharded, so the inserted row must contain the time."""
    for path in FUNCTION_FILES:
        for clause in re.findall(r"on conflict[^;]*?do update(.*?);", path.read_text(), flags=re.S | re.I):
            clock = re.search(r"\b(now|clock_timestamp|statement_timestamp)\(\)|current_timestamp", clause)
            assert not clock, path.name


def test_every_security_definer_function_sets_its_search_path_in_its_file() -> None:
    heads = {
        path.name: re.findall(r"create or replace (?:function|procedure).*?\bas\b", path.read_text(), flags=re.S)
        for path in FUNCTION_FILES
    }
    definers = [(file, head) for file, found in heads.items() for head in found if "security definer" in head]
    assert len(definers) > 10
    assert [file for file, head in definers if "set search_path = pg_catalog, pg_temp" not in head] == []


@pytest.fixture(scope="module")
def migrated(databases: Databases, template: str, public_folder: Path) -> Iterator[psycopg.Connection[Any]]:
    """Yields a connection to a migrated database that has a model."""
    database = databases.copy(template)
    add_model(database, Settings(home=public_folder / "schema-rules"), NewModel("toy", "toy", "revision 1", 24))
    with psycopg.connect(databases.admin_url(str(database.write.database)), autocommit=True) as conn:
        yield conn


def test_every_function_of_a_file_is_in_the_database_and_belongs_to_the_owner(
    migrated: psycopg.Connection[Any],
) -> None:
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
    # Revisions create product_id and the functions in FROZEN, because constraints or generated columns use them.
    frozen = {f"{schema}.{name}" for schema, name in FROZEN}
    assert set(present) - written == {"shop.product_id"} | frozen
    assert written - set(present) == set()
    assert set(present.values()) == {"shop_owner"}


def test_no_function_is_overloaded(migrated: psycopg.Connection[Any]) -> None:
    """CREATE OR REPLACE with a new argument creates a second function. If the argument has a default, calls are
    ambiguous."""
    rows = migrated.execute(
        "select proname from pg_proc where pronamespace::regnamespace::text in ('shop', 'shop_private') "
        "group by 1 having count(*) > 1"
    )
    assert rows.fetchall() == []


def test_keys_of_tables_with_a_product_id_start_with_the_product_id(migrated: psycopg.Connection[Any]) -> None:
    rows = migrated.execute(
        "select conrelid::regclass::text, conname, a.attname from pg_constraint c "
        "join pg_attribute a on a.attrelid = conrelid and a.attnum = conkey[1] "
        "where contype in ('p', 'u') and connamespace::regnamespace::text in ('shop', 'shop_private') "
        "and exists (select from pg_attribute p where p.attrelid = conrelid and p.attname = 'product_id') "
        "and conrelid <> 'shop_private.webhook_held'::regclass"  # read by webhook, not by product
    ).fetchall()
    assert {table for table, _, _ in rows} >= {
        "shop.product",
        "shop.product_image",
        "shop.toy_image",
        "shop.toy_title",
        "shop_private.work",
    }
    assert {column for _, _, column in rows} == {"product_id"}


def test_every_unique_index_of_a_table_with_a_product_id_contains_the_product_id(
    migrated: psycopg.Connection[Any],
) -> None:
    rows = migrated.execute(
        "select indexrelid::regclass::text from pg_index i join pg_class c on c.oid = indrelid "
        "where relnamespace::regnamespace::text in ('shop', 'shop_private') and indisunique "
        "and exists (select from pg_attribute where attrelid = indrelid and attname = 'product_id') "
        "and not exists (select from pg_attribute where attrelid = indrelid and attname = 'product_id' "
        "and attnum = any (indkey))"
    )
    assert rows.fetchall() == []


def test_functions_that_encode_a_query_are_stable_and_parallel_restricted(migrated: psycopg.Connection[Any]) -> None:
    """PostgreSQL cannot use the vector index with a VOLATILE function, and would evaluate an IMMUTABLE function during
    planning. Functions that encode are parallel restricted because a parallel worker has no gateway connection.
    product_vector reads a stored vector, so it is parallel safe."""
    rows = migrated.execute(
        "select proname, provolatile, proparallel, proisstrict, prosecdef from pg_proc "
        "where pronamespace = 'shop'::regnamespace and proname in ('clip_text', 'clip_image', 'product_vector')"
    ).fetchall()
    assert set(rows) == {
        ("clip_text", "s", "r", True, True),
        ("clip_image", "s", "r", False, True),  # not strict, because the region may be null
        ("product_vector", "s", "s", True, False),
    }


def test_only_the_listed_views_run_with_the_rights_of_the_caller(migrated: psycopg.Connection[Any]) -> None:
    rows = migrated.execute(
        "select relname from pg_class where relnamespace = 'shop'::regnamespace and relkind = 'v' "
        "and coalesce('security_invoker=true' = any (reloptions), false)"
    ).fetchall()
    assert {name for (name,) in rows} == {
        "searchable", "searchable_image", "image_vector", "title_vector", "quarantine", "failing_host",
        "no_result_queries",
    }  # fmt: skip


def test_every_foreign_key_to_a_product_cascades(migrated: psycopg.Connection[Any]) -> None:
    rows = migrated.execute(
        "select conrelid::regclass::text from pg_constraint where contype = 'f' and confdeltype <> 'c' "
        "and confrelid in ('shop.product'::regclass, 'shop.product_image'::regclass)"
    )
    assert rows.fetchall() == []


def test_every_foreign_key_to_a_product_has_an_index(migrated: psycopg.Connection[Any]) -> None:
    """Without an index on the foreign key, PostgreSQL reads the whole referencing table to delete a product."""
    rows = migrated.execute(
        "select conrelid::regclass::text, conname from pg_constraint c where contype = 'f' "
        "and confrelid in ('shop.product'::regclass, 'shop.product_image'::regclass) and not exists "
        "(select from pg_index i where i.indrelid = conrelid and i.indpred is null "
        "and (string_to_array(i.indkey::text, ' ')::int2[])[1:cardinality(conkey)] = conkey)"
    )
    assert rows.fetchall() == []


def test_no_sequence_is_unlogged(migrated: psycopg.Connection[Any]) -> None:
    """PostgreSQL 18.1 cannot read an unlogged sequence on a promoted standby. The identity column of an unlogged table
    has such a sequence, unless the revision sets it to logged."""
    rows = migrated.execute("select relname from pg_class where relkind = 'S' and relpersistence <> 'p'")
    assert rows.fetchall() == []


UNCOMMENTED = """
select 'function ' || p.oid::regprocedure::text from pg_proc p
where p.pronamespace = 'shop'::regnamespace and obj_description(p.oid, 'pg_proc') is null
union all
select 'type ' || t.typname from pg_type t left join pg_class c on c.oid = t.typrelid
where t.typnamespace = 'shop'::regnamespace and t.typelem = 0 and coalesce(c.relkind, 'c') = 'c'
    and obj_description(t.oid, 'pg_type') is null
union all
select c.oid::regclass::text from pg_class c
where c.relnamespace = 'shop'::regnamespace and c.relkind in ('r', 'v') and obj_description(c.oid, 'pg_class') is null
union all
select c.oid::regclass || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.relnamespace = 'shop'::regnamespace and c.relkind in ('r', 'v', 'c') and a.attnum > 0 and not a.attisdropped
    and col_description(c.oid, a.attnum) is null
"""


def test_every_public_function_type_table_view_and_column_has_a_comment(migrated: psycopg.Connection[Any]) -> None:
    assert migrated.execute(UNCOMMENTED).fetchall() == []
    [[tables]] = migrated.execute(
        "select count(*) from pg_class where relnamespace = 'shop'::regnamespace and relname like 'toy_%' "
        "and relkind = 'r'"
    ).fetchall()
    assert tables == 2  # UNCOMMENTED also checks the two embedding tables of the model


def test_the_comment_of_a_public_function_begins_like_the_header_of_its_file(migrated: psycopg.Connection[Any]) -> None:
    comments = dict(
        migrated.execute(
            "select proname, obj_description(oid, 'pg_proc') from pg_proc where pronamespace = 'shop'::regnamespace"
        ).fetchall()
    )
    assert comments["search"].startswith("Searches by a text, an image, both")
    for path in FUNCTION_FILES:
        if path.stem in comments and path.read_text().startswith("--"):
            assert path.read_text().splitlines()[0] == f"-- {comments[path.stem].splitlines()[0]}"


def test_the_columns_of_a_view_have_the_comments_of_the_columns_of_shop_product(
    migrated: psycopg.Connection[Any],
) -> None:
    rows = migrated.execute(
        "select v.attrelid::regclass::text, v.attname from pg_attribute v join pg_attribute p "
        "on p.attrelid = 'shop.product'::regclass and p.attname = v.attname and p.attnum > 0 "
        "where v.attrelid in ('shop.searchable'::regclass, 'shop.searchable_image'::regclass) "
        "and col_description(v.attrelid, v.attnum) is distinct from col_description(p.attrelid, p.attnum)"
    )
    assert rows.fetchall() == []


def test_functions_that_return_a_page_declare_at_most_50_rows(migrated: psycopg.Connection[Any]) -> None:
    """For a function without a row estimate, PostgreSQL expects 1,000 rows, so a join with its result reads the whole
    joined table."""
    rows = migrated.execute(
        "select proname, prorows from pg_proc where pronamespace = 'shop'::regnamespace and proretset"
    ).fetchall()
    assert len(rows) > 10
    rows_per_product = {"match_products", "zero_shot", "submission"}
    assert {name for name, expected in rows if expected > 50} == rows_per_product
