"""The class and the SQLSTATE of an error, never its message, decide the documented problem type of the answer."""

import re
from pathlib import Path

import pytest

from db.errors import DatabaseError, DatabaseUnreachable, EncoderUnavailable, LoginRefused, StatementRefused
from web.http.problems import KINDS, as_api_error

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
SECRET = "relation pg_temp.insides"


def error(kind: type[DatabaseError], sqlstate: str | None = None) -> DatabaseError:
    made = kind(SECRET, hint="a hint")
    made.sqlstate = sqlstate
    return made


@pytest.mark.parametrize(
    ("raised", "kind", "has_own_message"),
    [
        (error(EncoderUnavailable, "WS001"), "encoder-unavailable", False),
        (error(EncoderUnavailable, "WS002"), "encoder-unavailable", False),
        (error(EncoderUnavailable, "WS003"), "invalid", True),
        (error(DatabaseUnreachable), "database-unavailable", False),
        (error(LoginRefused), "database-unavailable", False),
        (error(DatabaseError, "08006"), "database-unavailable", False),
        (error(DatabaseError, "53300"), "database-unavailable", False),
        (error(DatabaseError, "57P01"), "database-unavailable", False),
        (error(StatementRefused, "25P03"), "database-unavailable", False),
        (error(StatementRefused, "25P04"), "database-unavailable", False),
        (error(StatementRefused, "57014"), "timeout", False),
        (error(StatementRefused, "42704"), "not-found", True),
        (error(DatabaseError, "55000"), "cursor-outdated", True),
        (error(DatabaseError, "55P03"), "overloaded", False),
        (error(DatabaseError, "40P01"), "overloaded", False),
        (error(StatementRefused, "22023"), "invalid", True),
        (error(StatementRefused, "22003"), "invalid", False),
        (error(StatementRefused, "23514"), "invalid", False),
        (error(StatementRefused, "54000"), "invalid", True),
        (error(StatementRefused), "invalid", True),
        (error(StatementRefused, "42501"), "internal", False),
        (error(DatabaseError, "XX000"), "internal", False),
        (error(DatabaseError), "internal", False),
    ],
    ids=lambda value: f"{type(value).__name__} {value.sqlstate}" if isinstance(value, DatabaseError) else None,
)
def test_a_database_error_maps_to_a_problem_type(raised: DatabaseError, kind: str, has_own_message: bool) -> None:
    found = as_api_error(raised)
    assert found.kind == kind
    assert (SECRET in found.detail) == has_own_message
    assert ("a hint" in found.hint) == has_own_message


@pytest.mark.parametrize(
    ("raised", "kind"), [(TimeoutError(), "timeout"), (RecursionError(), "malformed"), (KeyError(SECRET), "internal")]
)
def test_other_errors_reveal_no_details(raised: Exception, kind: str) -> None:
    assert as_api_error(raised).kind == kind
    assert SECRET not in as_api_error(raised).detail


def test_docs_errors_md_has_every_problem_type_with_status_and_cause_and_remedy() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \| (\S.*?) \| (\S.*?) \|$", PAGE, re.MULTILINE)
    assert [(name, int(status)) for name, status, _, _ in rows] == [(name, kind.status) for name, kind in KINDS.items()]
