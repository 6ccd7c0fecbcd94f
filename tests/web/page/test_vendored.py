"""Every vendored file of the page has the hash of a file in a named package."""

import hashlib
import re
from pathlib import Path

STATIC = Path(__file__).parents[3] / "web" / "page" / "static"
OWN = {"page.css", "page.js", "icon.svg", "VENDORED.md"}


def test_every_file_is_written_for_this_project_or_listed_with_its_hash() -> None:
    listed = dict(re.findall(r"^\| `(\S+)` \|.*\| `([0-9a-f]{64})` \|$", (STATIC / "VENDORED.md").read_text(), re.M))
    assert {path.name for path in STATIC.iterdir()} == OWN | set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest, name
