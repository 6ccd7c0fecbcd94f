"""Each revision since 0023 states in `serves` the oldest code that works with its schema. Code works with a later
schema if `serves` of that schema is not newer than the code."""

import pytest

from db import schema
from db.engine import Database
from db.errors import SchemaMismatch
from db.settings import Settings
from migrations.upgrade import scripts
from tests.support.databases import admin
from tests.support.schema_objects import later_schema

RULE_SINCE = "0023"


def test_each_revision_since_0023_states_the_oldest_code_that_it_serves(settings: Settings) -> None:
    before = "0000"
    for script in reversed(list(scripts(settings.home).walk_revisions("base", schema.HEAD))):
        if script.revision < RULE_SINCE:
            continue
        serves = getattr(script.module, "serves", None)
        assert isinstance(serves, str), f"{script.path}: set `serves`, see docs/migrations.md"
        assert before <= serves <= script.revision, f"{script.path}: it serves code from {serves} on"
        before = serves


def test_the_database_states_the_oldest_code_that_its_newest_revision_serves(
    database: Database, settings: Settings
) -> None:
    newest = scripts(settings.home).get_revision(schema.HEAD)
    assert newest is not None
    assert admin(database, "select shop_private.oldest_code()") == [(newest.module.serves,)]


@pytest.mark.parametrize("serves", ["0001", schema.HEAD])
def test_code_works_on_a_later_schema_that_serves_it(database: Database, serves: str) -> None:
    later_schema(database, "9999", serves)
    with database.connect(None) as conn:
        assert schema.check(conn) == "9999"


def test_code_is_refused_on_a_later_schema_that_does_not_serve_it(database: Database) -> None:
    later_schema(database, "9999", "9998")
    with database.connect(None) as conn, pytest.raises(SchemaMismatch) as raised:
        schema.check(conn)
    assert raised.value.message == (
        f"the schema is at revision 9999, ahead of this code ({schema.HEAD}), and serves only code from 9998 on"
    )
    assert "upgrade this installation too" in (raised.value.hint or "")
