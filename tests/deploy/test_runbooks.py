"""The SQL statements of the runbooks run on a migrated database."""

import re

import pytest

from db.engine import Database
from tests.support.compose.files import ROOT
from tests.support.databases import admin

pytestmark = pytest.mark.deploy


def test_every_sql_statement_of_a_runbook_runs(database: Database) -> None:
    statements = {
        f"{path.stem}: {statement}": statement
        for path in sorted((ROOT / "docs" / "runbooks").glob("*.md"))
        for statement in re.findall(r"```sql\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    }
    assert len(statements) > 8
    for statement in statements.values():
        admin(database, statement)
