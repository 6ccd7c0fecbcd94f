"""The sql blocks of the runbooks run on a migrated database."""

import re

import pytest

from db.engine import Database
from tests.support.compose.files import ROOT
from tests.support.databases import admin

pytestmark = pytest.mark.deploy


def test_every_sql_block_of_a_runbook_runs(database: Database) -> None:
    blocks = {
        f"{path.stem}: {block}": block
        for path in sorted((ROOT / "docs" / "runbooks").glob("*.md"))
        for block in re.findall(r"```sql\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    }
    assert len(blocks) > 8
    for block in blocks.values():
        admin(database, block)
