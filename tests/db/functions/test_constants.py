"""Each constant of the SQL functions is defined once, in Python. docs/search.md shows the limits and the constants of
search, and docs/errors.md shows every SQLSTATE of Windowshop."""

import re
from pathlib import Path

from db import functions
from db.functions import constants
from db.locks import Lock

ROOT = Path(functions.__file__).parent.parent.parent
SQL = {path: path.read_text(encoding="utf-8") for path in Path(functions.__file__).parent.rglob("*.sql")}
WORDS = dict(constants.values())


def test_every_constant_is_used_by_a_sql_file() -> None:
    used = {word for source in SQL.values() for word in re.findall(r"@([a-z0-9_]+)@", source)}
    assert set(WORDS) - used == set()


def test_constants_have_different_names() -> None:
    names = [name for name, _ in constants.values()]
    assert len(names) == len(set(names))


def test_lock_keys_are_defined_in_one_file() -> None:
    keys = re.compile("|".join(rf"{lock // 1000}_?{lock % 1000:03}" for lock in Lock))
    packages = ("db", "encoder", "loader", "migrations", "web", "windowshop")
    files = [path for package in packages for path in (ROOT / package).rglob("*.*") if path.suffix in (".py", ".sql")]
    assert [path for path in files if keys.search(path.read_text(encoding="utf-8"))] == [ROOT / "db" / "locks.py"]


def test_the_name_of_a_constant_in_a_sql_file_is_replaced_by_its_value() -> None:
    names = dict.fromkeys(re.findall(r"@([a-z0-9_]+)@", " ".join(SQL.values())), "x") | {"revision": "r", "serves": "r"}
    for word in WORDS:
        names.pop(word, None)
    statements = dict(functions.statements(names))
    assert f"secs => {WORDS['query_lane_seconds']})" in statements["queries/encoder_alive"]


def test_search_md_lists_each_limit_and_search_constant_with_value_unit_and_reason() -> None:
    document = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
    table = document.split("## Parameters", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \|$", table, flags=re.M)
    assert rows == [(c.name, f"{c.value:,}", c.unit, c.reason) for c in (*constants.LIMITS, *constants.SEARCH)]


def test_every_sqlstate_of_windowshop_is_documented() -> None:
    document = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| (WS\d{3}) \|", document, flags=re.M)
    assert documented == sorted({code for source in SQL.values() for code in re.findall(r"WS\d{3}", source)})
