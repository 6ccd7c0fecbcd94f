"""Each SQL object is defined in a file of its name. Folders, lines, function bodies and parameter lists have limits."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
FUNCTIONS = ROOT / "db" / "functions"
FILES = sorted(FUNCTIONS.rglob("*.sql"))
MAX_COLUMNS = 120
MAX_FILES = 20
MAX_BODY_LINES = 90
MAX_PARAMETERS = 12

OBJECT = re.compile(r"^create (?:or replace )?(function|procedure|view|trigger|type) (?:\w+\.)?(\w+)", re.M)
TRIGGER = re.compile(r"^create or replace trigger .*?execute function shop_private\.(\w+)\(\)", re.M | re.S)
LITERAL = re.compile(r"""--[^\n]*|"(?:[^"]|"")*"|(?P<kind>\b[EU]&?)?'(?P<text>(?:[^']|''|'\s*\n\s*')*)'""")
BODY = re.compile(r"^create or replace (?:function|procedure) (\S+?)\(.*?\bas (\$\w*\$)(.*?)\2", re.M | re.S)


def test_every_object_is_defined_in_a_file_of_its_name() -> None:
    """A view and a private function of the same name may share a file. A trigger is in the file of its function."""
    wrong = []
    for path in FILES:
        sql = path.read_text(encoding="utf-8")
        names = {name for kind, name in OBJECT.findall(sql) if kind != "trigger"} | set(TRIGGER.findall(sql))
        if path.name != "grants.sql" and names != {path.stem}:
            wrong.append((path.name, sorted(names)))
    assert wrong == []


def test_the_function_that_creates_view_x_is_named_create_x() -> None:
    """Functions create the views that read the vectors of the serving model. For example, create_searchable creates
    searchable."""
    created = {
        (path.stem, name)
        for path in FILES
        for name in re.findall(r"^ +.*create or replace view shop\.(\w+)", path.read_text(encoding="utf-8"), re.M)
    }
    assert created == {
        (f"create_{name}", name) for name in ("image_vector", "searchable", "searchable_image", "title_vector")
    }


def test_a_line_of_sql_has_at_most_120_columns() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > MAX_COLUMNS
    ]
    assert long == []


def test_a_folder_has_at_most_20_sql_files() -> None:
    counts = Counter(path.parent.name for path in FILES)
    assert {folder: count for folder, count in counts.items() if count > MAX_FILES} == {}


def test_a_function_body_has_at_most_90_lines() -> None:
    bodies = {
        name: len(body.strip().splitlines())
        for path in FILES
        for name, _, body in BODY.findall(path.read_text(encoding="utf-8"))
    }
    assert len(bodies) > 100
    assert {name: lines for name, lines in bodies.items() if lines > MAX_BODY_LINES} == {}


def test_a_private_function_has_at_most_12_parameters() -> None:
    """A public function of schema shop may have more parameters, because its callers name the arguments."""
    parameters = {
        match[1]: count_parameters(sql, match.end())
        for path in FILES
        for sql in [path.read_text(encoding="utf-8")]
        for match in re.finditer(r"^create or replace (?:function|procedure) (shop_private\.\w+)\(", sql, re.M)
    }
    assert parameters["shop_private.worker_heartbeat"] == 5
    assert parameters["shop_private.calibration_stop_margin"] == 4  # result columns are not counted as parameters
    assert {name: count for name, count in parameters.items() if count > MAX_PARAMETERS} == {}


def count_parameters(sql: str, start: int) -> int:
    """Returns the number of IN and INOUT parameters in the list that starts at `start`."""
    depth, names = 0, [""]
    for character in sql[start:]:
        if character == ")" and depth == 0:
            break
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            names.append("")
        else:
            names[-1] += character
    return sum(1 for name in names if name.strip() and not name.strip().startswith("out "))


def test_a_literal_with_a_backslash_does_not_depend_on_the_session() -> None:
    """PostgreSQL reads the body of a function with the setting standard_conforming_strings of the session. Only an
    E'...' means the same with both values."""
    frozen = [ROOT / "migrations" / "versions" / name for name in ("0009_words.py", "0010_identifiers.py")]
    texts = {path: path.read_text(encoding="utf-8") for path in FILES}
    texts |= {path: "\n".join(re.findall(r'r"""(.*?)"""', path.read_text(encoding="utf-8"), re.S)) for path in frozen}
    assert [
        (path.name, literal[0])
        for path, text in texts.items()
        for literal in LITERAL.finditer(text)
        if literal["text"] and "\\" in literal["text"] and literal["kind"] != "E"
    ] == []
