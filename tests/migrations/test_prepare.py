"""An upgrade refuses a database whose encoding is not UTF-8, and changes nothing. An upgrade updates extensions."""

from pathlib import Path

import pytest
from sqlalchemy import text

from db.engine import Database
from db.errors import DatabaseError
from db.settings import Settings
from migrations.upgrade import upgrade
from tests.support.databases import Databases, admin


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_an_upgrade_refuses_a_database_that_is_not_encoded_in_utf8(
    databases: Databases, tmp_path: Path, encoding: str
) -> None:
    name = databases.create("template0", f"locale_provider libc locale 'C' encoding '{encoding}'")
    database = databases.open(name)
    with pytest.raises(DatabaseError, match=f"encoded in {encoding}") as refused:
        upgrade(database, Settings(home=tmp_path))
    assert "encoding 'UTF8'" in (refused.value.hint or "")
    with database.connect(None) as conn:
        assert conn.scalar(text("select to_regnamespace('shop') is null"))


def test_an_upgrade_updates_an_extension_only_to_a_newer_version(database: Database, settings: Settings) -> None:
    versions = (
        "select extname::text, extversion from pg_extension where extname in ('pg_prewarm', 'pg_trgm') order by 1"
    )
    admin(database, "drop extension pg_prewarm; create extension pg_prewarm version '1.1'")
    # If older packages replace the packages of a server, a database can have a newer version of an extension than the
    # server.
    admin(database, "update pg_extension set extversion = '99.0' where extname = 'pg_trgm'")
    upgrade(database, settings)
    assert admin(database, versions) == [("pg_prewarm", "1.2"), ("pg_trgm", "99.0")]
