"""The attributes of XML elements are loaded, except those that only describe a text or link, such as its language."""

from pathlib import Path

import pytest

from db.catalog.image_paths import ImageRoot
from db.catalog.product import Product, ValidatedProduct
from db.catalog.validation import validate
from loader.rejects import Reject
from loader.sources import open_source

RSS = (
    '<rss xmlns:g="http://base.google.com/ns/1.0" xmlns:media="http://search.yahoo.com/mrss/"><channel><item>{}</item>'
)


def product(elements: str, path: Path) -> Product:
    start = RSS.format(f"<g:id>1</g:id><g:title>Cap</g:title>{elements}")
    path.write_text(f"{start}</channel></rss>")
    [row] = open_source(path).rows()
    assert not isinstance(row, Reject)
    found = validate(row, ImageRoot(path.parent), strict=False)
    assert isinstance(found, ValidatedProduct) and found.warnings == ()
    return found.product


def test_a_price_may_have_its_currency_in_an_attribute(tmp_path: Path):
    found = product('<g:price currency="EUR">1.012,50</g:price>', tmp_path / "a.xml")
    assert (str(found.price), found.currency) == ("1012.50", "EUR")


@pytest.mark.parametrize(
    ("element", "attributes"),
    [
        ('<g:weight unit="kg">2</g:weight>', {"weight": {"unit": "kg", "value": "2"}}),
        ('<enclosure url="https://x.example/1.jpg" length="9"/>', {"enclosure": {"url": "https://x.example/1.jpg"}}),
        ('<g:plan id="a"><g:months>6</g:months></g:plan>', {"plan": {"id": "a", "months": "6"}}),
        ('<g:note type="html" xml:lang="en">x</g:note>', {"note": "x"}),
        ('<guid isPermaLink="false">g</guid>', {"guid": "g"}),
        (
            "<g:product_detail><g:attribute_name>Supplier</g:attribute_name>"
            "<g:attribute_value>Acme</g:attribute_value></g:product_detail>",
            {},  # a supplier is private, so it is not loaded
        ),
    ],
)  # fmt: skip
def test_attributes_that_describe_a_text_or_link_are_omitted_and_others_make_an_object(
    element: str, attributes: dict[str, object], tmp_path: Path
):
    assert product(element, tmp_path / "a.xml").attributes == attributes
