"""The examples, fields, SQL and errors in docs/filters.md agree with the filter compiler."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.databases import ROLES, Databases
from tests.support.filtering import Session, compiled, found, insert

PAGE = Path(__file__).parents[3] / "docs" / "filters.md"


def tables() -> dict[str, list[list[str]]]:
    """Maps the column headings of each table on the page to the table's rows. A row is a list of cells without
    backticks."""
    read: dict[str, list[list[str]]] = {}
    for table in re.findall(r"(?:^\|.*\n)+", PAGE.read_text(encoding="utf-8"), flags=re.M):
        head, _, *rows = (
            [cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table.splitlines()
        )
        read.setdefault(" ".join(head).strip(), []).extend(rows)
    return read


@pytest.fixture(scope="module")
def analyst(databases: Databases, template: str) -> Iterator[Session]:
    """Yields an analyst's session in a database with the products of the page."""
    database = databases.copy(template)
    with psycopg.connect(databases.admin_url(str(database.write.database)), autocommit=True) as conn:
        [head] = [head for head in tables() if head.startswith("sku")]
        rows = [dict(zip(head.split(), row, strict=True)) for row in tables()[head]]
        insert(
            conn,
            [
                {name: cell or None for name, cell in row.items()}
                | {"created_at": "2026-01-31", "attributes": json.loads(row["attributes"])}
                for row in rows
            ],
        )
        conn.execute(f"set role {ROLES.analyst}")
        yield conn


def test_every_example_on_the_page_finds_the_stated_products(analyst: Session) -> None:
    examples = tables()["filter finds"]
    assert len(examples) > 30
    said = {wanted: finds.split() for wanted, finds, _ in examples}
    assert {wanted: found(analyst, compiled(analyst, json.loads(wanted))) for wanted in said} == said
    operators = {"eq", "ne", "in", "nin", "lt", "lte", "gt", "gte", "exists", "contains", "prefix"}
    assert operators <= set(re.findall(r'"(\w+)": ', " ".join(said)))


def test_the_page_names_every_field(analyst: Session) -> None:
    with pytest.raises(psycopg.Error) as refused:
        compiled(analyst, {"?": 1})
    fields = re.findall(r"[a-z_]+", str(refused.value.diag.message_hint).split("Fields are ")[1].split(", and")[0])
    text = PAGE.read_text(encoding="utf-8").split("## Fields")[1].split("##")[0]
    assert len(fields) == 28
    assert {f"`{name}`" for name in fields} <= set(re.findall(r"`[a-z_]+`", text))


def test_the_sql_on_the_page_is_the_output_of_filter_sql(analyst: Session) -> None:
    statement, answer = re.findall(r"```sql\n(.*?;)\n-- (.*?)\n```", PAGE.read_text(encoding="utf-8"), flags=re.S)[0]
    assert analyst.execute(statement).fetchone() == (answer,)


def test_every_error_on_the_page_is_raised(analyst: Session) -> None:
    errors = tables()["filter error"]
    assert len(errors) >= 6
    for wrong, message in errors:
        with pytest.raises(psycopg.Error) as refused:
            compiled(analyst, json.loads(wrong))
        assert refused.value.diag.message_primary == message
        assert refused.value.sqlstate == "22023"
