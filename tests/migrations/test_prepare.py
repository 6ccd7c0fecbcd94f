"""An upgrade refuses a database whose encoding is not UTF-8, and changes nothing."""

from pathlib import Path

import pytest
from sqlalchemy import text

from db.errors import DatabaseError
from db.settings import Settings
from migrations.upgrade import upgrade
from tests.support.databases import Databases


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
