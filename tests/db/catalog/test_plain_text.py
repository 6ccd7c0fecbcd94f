"""Validation turns HTML tags and entities into plain text in every text field except identifiers and addresses."""

from typing import Any

import pytest

from db.catalog.product import Product, RawProduct, ValidatedProduct
from db.catalog.validation import validate


def validated(fields: dict[str, str], images: list[str] | None = None, **attributes: Any) -> Product:
    found = validate(RawProduct({"sku": "1", "title": "A", **fields}, images or [], attributes=attributes), None)
    assert isinstance(found, ValidatedProduct), found
    return found.product


@pytest.mark.parametrize("field", ["title", "brand", "product_type", "color", "size", "material", "condition"])
def test_a_short_text_field_becomes_one_line_without_tags_and_entities(field: str) -> None:
    assert getattr(validated({field: "Cr&egrave;me<br>br&ucirc;l&eacute;e"}), field) == "Crème brûlée"


def test_each_html_block_of_a_description_becomes_a_line() -> None:
    assert validated({"description": "<p>a &amp; b</p><p>c</p>"}).description == "a & b\nc"


def test_the_currency_of_a_price_may_be_an_entity() -> None:
    assert validated({"price": "12,50 &euro;"}).currency == "EUR"


def test_identifiers_are_not_changed() -> None:
    product = validated({"sku": "A&amp;B", "mpn": "<b>", "item_group_id": "a&lt;b"})
    assert (product.sku, product.mpn, product.item_group_id) == ("A&amp;B", "<b>", "a&lt;b")


def test_only_escaped_ampersands_are_decoded_in_addresses() -> None:
    product = validated({"link": "https://a.example/?b=1&amp;copy=2&c=<d>"}, ["https://a.example/1.jpg?a=1&amp;b=2"])
    assert product.link == "https://a.example/?b=1&copy=2&c=<d>"
    assert product.images[0].uri == "https://a.example/1.jpg?a=1&b=2"


def test_texts_in_attributes_become_plain_text_and_addresses_are_not_changed() -> None:
    product = validated({}, short="<p>a</p>", deep={"list": ["&eacute;", 3]}, page="https://a.example/?a=1&lt;=2")
    assert product.attributes == {"short": "a", "deep": {"list": ["é", 3]}, "page": "https://a.example/?a=1&lt;=2"}


def test_a_title_of_only_tags_is_refused_as_empty() -> None:
    assert validate(RawProduct({"sku": "1", "title": "<p></p>"}), None) == ["title is empty"]
