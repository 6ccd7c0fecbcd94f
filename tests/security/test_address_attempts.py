"""The validation of products and the pattern of the database refuse addresses that could run code or
name a file."""

import re

import pytest

from db.catalog.product import RawProduct
from db.catalog.validation import validate
from db.catalog.values import OTHER_SCHEME as IN_PYTHON
from db.tables.catalog import OTHER_SCHEME as IN_THE_DATABASE

REFUSED = [
    "javascript:alert(1)",
    "JAVASCRIPT:alert(1)",
    "  javascript:alert(1)",
    "\x01javascript:alert(1)",
    "java\tscript:alert(1)",
    "java\nscript:alert(1)",
    "javascript :alert(1)",
    "javascript://https://shop.example/%0aalert(1)",
    "data:text/html;base64,PHNjcmlwdD4=",
    "data:,https://shop.example/",
    "vbscript:msgbox(1)",
    "blob:https://shop.example/1",
    "file:///etc/passwd",
    "view-source:https://shop.example/",
    "https:javascript",
    "intent:#Intent;scheme=x;end",
]
ACCEPTED = [
    "https://shop.example/a?b=javascript:c",
    "HTTP://SHOP.EXAMPLE/A",
    "s3://bucket/a.jpg",
    "/p/1?q=a:b",
    "//shop.example/a",
    "shop.example:8080/a",
    "p/1.html#a:b",
    "Möbel/Stühle: 1",
    "",
]


@pytest.mark.parametrize("link", REFUSED)
@pytest.mark.parametrize("column", ["link", "image_link"])
def test_an_address_that_could_run_code_or_name_a_file_is_refused(link: str, column: str) -> None:
    raw = RawProduct({"sku": "a", "title": "a", column: link})
    found = validate(raw, None)
    assert isinstance(found, list)
    assert any("begins with neither https:// nor http://" in fault for fault in found)
    lenient = validate(raw, None, strict=False)  # a load drops the address and keeps the product
    assert not isinstance(lenient, list)
    assert getattr(lenient.product, column) is None
    assert re.search(IN_THE_DATABASE, link, re.IGNORECASE)


@pytest.mark.parametrize("link", ACCEPTED)
def test_an_address_or_path_without_such_a_scheme_is_accepted_unchanged(link: str) -> None:
    found = validate(RawProduct({"sku": "a", "title": "a", "link": link}), None)
    assert not isinstance(found, list)
    assert found.product.link == (link or None)
    assert not re.search(IN_THE_DATABASE, link, re.IGNORECASE)


def test_the_loader_and_the_database_use_the_same_pattern() -> None:
    assert f"^{IN_PYTHON.pattern}" == IN_THE_DATABASE
