"""Each static file of the page is written for this project or listed in VENDORED.md with its SHA-256."""

import hashlib
import re
from pathlib import Path

STATIC = Path(__file__).parents[3] / "web" / "page" / "static"
OWN = {
    "page.css",
    "api_docs.css",
    "images.css",
    "page.js",
    "images.js",
    "filters.js",
    "suggest.js",
    "product.js",
    "region.js",
    "waiting.js",
    "staff.css",
    "icon.svg",
    "VENDORED.md",
}


def test_every_static_file_is_our_own_or_has_the_hash_in_vendored_md() -> None:
    listed = dict(re.findall(r"^\| `(\S+)` \|.*\| `([0-9a-f]{64})` \|$", (STATIC / "VENDORED.md").read_text(), re.M))
    assert {path.name for path in STATIC.iterdir()} == OWN | set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest, name
