"""Source files of the web service give a reason for each `type: ignore`."""

import re
from pathlib import Path

WEB = Path(__file__).parents[2] / "web"


def test_every_type_ignore_has_a_reason_on_the_same_line() -> None:
    ignores = [
        (path.name, line.strip())
        for path in WEB.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "type: ignore" in line
    ]
    assert [found for found in ignores if not re.search(r"# type: ignore\[[\w-]+\]  # \S", found[1])] == []
