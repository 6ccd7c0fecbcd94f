"""An upgrade replaces or drops functions whose files were changed, renamed or deleted."""

import re

import pytest

from db import functions
from db.engine import Database
from db.roles import Roles
from db.settings import Settings
from migrations.function_files import _definitions
from migrations.upgrade import upgrade
from tests.migrations.conftest import EditFiles
from tests.support.databases import admin


def routines(database: Database) -> dict[str, int]:
    """Returns the object id of every function, by the name and argument types of the function."""
    rows = admin(
        database,
        "select oid::regprocedure::text, oid from pg_proc "
        "where pronamespace::regnamespace::text in ('shop', 'shop_private')",
    )
    return dict(map(tuple, rows))


def test_an_upgrade_without_changes_keeps_the_object_id_of_every_function(
    database: Database, settings: Settings
) -> None:
    before = routines(database)
    upgrade(database, settings)
    assert routines(database) == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("(deviations double precision default 3)", "(deviations double precision default 3, depth integer default 1)"),
        ("(deviations double precision default 3)", "(sigmas double precision default 3)"),
        ("(deviations double precision default 3)\nreturns double precision", "()\nreturns numeric"),
    ],
)
def test_a_function_with_new_arguments_or_a_new_result_type_replaces_the_old_function(
    database: Database, settings: Settings, edit_files: EditFiles, before: str, after: str
) -> None:
    found: set[str] = set()

    def edit(name: str, sql: str) -> str:
        if before in sql:
            found.add(name)
        return sql.replace(before, after)

    edit_files(edit)
    upgrade(database, settings)
    assert len(found) == 1
    [_] = [name for name in routines(database) if name.startswith("shop.relevance_floor(")]


def test_a_private_function_of_the_owner_role_that_no_file_defines_is_dropped(
    database: Database, settings: Settings
) -> None:
    before = routines(database)
    admin(
        database,
        "set role shop_owner; create function shop_private.old_leg(integer) returns integer language sql return 1; "
        "create procedure shop_private.old_task() language sql as ''; "
        "create function shop.mine() returns integer language sql return 1; reset role; "
        "create function shop_private.not_ours() returns integer language sql return 1",
    )
    upgrade(database, settings)
    assert set(routines(database)) - set(before) == {"shop.mine()", "shop_private.not_ours()"}


def test_the_pattern_of_definitions_finds_every_function_in_the_files() -> None:
    """If a function has new arguments, an upgrade must drop its old version. The upgrade knows only the functions that
    the pattern finds."""
    extensions = dict.fromkeys(("vector", "dblink", "trgm"), "public")
    files = list(functions.statements({**Roles("shop_").by_word(), **extensions, "revision": "0001", "serves": "0001"}))
    starts = [
        name
        for _, sql in files
        for name in re.findall(r"^create or replace (?:function|procedure) (\S+?)\(", sql, re.M)
    ]
    assert [f"{schema}.{name}" for schema, name, _ in _definitions(files)] == starts
    assert len(starts) > 100


def test_a_public_view_is_created_again_after_its_function_changes_and_keeps_its_grants(
    database: Database, settings: Settings, edit_files: EditFiles
) -> None:
    grants = "select relacl::text from pg_class where oid = 'shop.coverage'::regclass"
    admin(database, "create role auditor; grant select on shop.coverage to auditor with grant option")
    try:
        before = admin(database, grants)
        edit_files(
            lambda _, sql: sql.replace("bigint, without_picture bigint", "bigint, bare bigint").replace(
                "coverage.without_picture", "coverage.bare"
            )
        )
        upgrade(database, settings)
        assert admin(database, grants) == before
        assert admin(database, "select bare from shop.coverage") == []
    finally:
        admin(database, "drop owned by auditor; drop role auditor")
