"""A value in a feed becomes the text, the image paths or the keywords of a field."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.catalog.names import normalised
from db.catalog.plain_text import plain_text
from db.catalog.rows.cells import image_paths, one_text, words


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Image Link", "image_link"),
        ("image-link", "image_link"),
        ("imageLink", "image_link"),
        ("g:image_link", "image_link"),
        ("  ID ", "id"),
        ("shipping(country:price)", "shipping(country:price)"),
    ],
)
def test_column_names_are_normalised_to_one_spelling(written: str, name: str):
    assert normalised(written) == name


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("title", " One ", "One"),
        ("title", None, ""),
        ("title", ["One", ""], "One"),
        ("sku", 17, "17"),
        ("gtin", 4006381333931.0, "4006381333931"),
        ("price", 12.5, "12.5"),
        ("price", {"value": 12.5, "currency": "EUR"}, "12.5 EUR"),
        ("price", {"amountMicros": 990000, "currencyCode": "EUR"}, "0.99 EUR"),
        ("price", {"amount": 2400, "divisor": 100, "currency_code": "USD"}, "24 USD"),
        ("price", {"amount": 1999, "currency_minor_unit": 2, "currency": "EUR"}, "19.99 EUR"),
        ("price", {"centAmount": 4250, "fractionDigits": 2, "currencyCode": "EUR"}, "42.5 EUR"),
        ("price", {"amount": "19.99", "precision": 2, "currency": "EUR"}, "19.99 EUR"),
        ("price", {"amount": "30.00", "currency": {"code": "EUR", "symbol": "€"}}, "30.00 EUR"),
        ("price", {"gross": 12.5, "net": 10.5, "currency": "EUR"}, "12.5 EUR"),
        ("price", {"price": {"gross": {"amount": 5.0, "currency": "USD"}}}, "5.0 USD"),
        ("price", {"current": 9.5, "original": 12.5, "currency": "EUR"}, "9.5 EUR"),
        ("price", {"$numberDecimal": "49.90"}, "49.90"),
        ("sku", {"$oid": "507f1f77bcf86cd799439011"}, "507f1f77bcf86cd799439011"),
        ("color", ["red", "blue", "red"], "red/blue"),
        ("product_type", ["Mugs", "Gifts"], "Mugs"),
        ("brand", {"@type": "Brand", "name": "Acme"}, "Acme"),
        ("condition", True, "true"),
    ],
)
def test_the_value_of_a_field_is_converted_to_text(field: str, value: Any, text: str):
    assert one_text(field, value) == text


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("sku", ["1", "2"], "sku has 2 values; it takes one"),
        ("title", {"en": "One"}, r"title is an object \(en\), not a text or a number"),
        ("price", {"amount": None}, 'price is an object without "value" and "currency"'),
        ("price", {"amountMicros": "1e3", "currencyCode": "EUR"}, "price is an object without"),
        ("price", {"amount": 1999, "exponent": 2, "currency": "EUR"}, "may be in the smallest unit"),
    ],
)
def test_a_value_that_cannot_become_one_text_is_refused_with_the_reason(field: str, value: Any, reason: str):
    with pytest.raises(ValueError, match=reason):
        one_text(field, value)


@pytest.mark.parametrize(
    ("cell", "paths"),
    [
        ("https://a/1.jpg::Red bag, side|https://a/2.PNG?v=1::Red bag", ["https://a/1.jpg", "https://a/2.PNG?v=1"]),
        ("https://a/1.jpg::", ["https://a/1.jpg"]),
        ("https://a/x::y", ["https://a/x::y"]),
        ('<img src="https://a/1.jpg?w=1&amp;h=2" alt="a|b">', ["https://a/1.jpg?w=1&h=2"]),
        ("<p><IMG alt=x SRC='img/1.jpg'></p><img src=img/2.jpg>", ["img/1.jpg", "img/2.jpg"]),
        (["<img src='a.jpg'>", "b.jpg"], ["a.jpg", "b.jpg"]),
        ('<img class="x" src="/media/Red bag.jpg">', ["/media/Red bag.jpg"]),
    ],
)
def test_an_image_stands_in_html_or_before_an_alternative_text(cell: object, paths: list[str]) -> None:
    assert image_paths(cell) == paths


@pytest.mark.parametrize(
    "hostile",
    ["[" * 600 + "]" * 600, "https://" + ".jpg?" * 200_000, "https://" + ".jpg?" * 200_000 + "::", "<img " * 200_000],
    ids=["deep", "suffixes", "text", "elements"],
)
def test_a_hostile_image_cell_is_read_in_a_moment(hostile: str) -> None:
    began = time.perf_counter()
    assert image_paths(hostile)
    assert time.perf_counter() - began < 5  # minutes, if the time grew with the square of the length


def test_an_inner_amount_has_the_decimals_of_the_outer_object() -> None:
    assert (
        one_text("price", {"amount": {"value": 1999, "currency": None}, "currency_minor_unit": 2, "currency": "EUR"})
        == "19.99 EUR"
    )


def test_image_paths_are_found_in_texts_and_lists_and_objects():
    assert image_paths("a.jpg|b.jpg;c.jpg") == ["a.jpg", "b.jpg", "c.jpg"]
    assert image_paths("http://a/1,2.jpg,http://a/3.jpg") == ["http://a/1,2.jpg", "http://a/3.jpg"]
    assert image_paths(["a;b.jpg", " ", {"url": "c.jpg"}, None]) == ["a;b.jpg", "c.jpg"]
    assert image_paths(["http://a/1,2.jpg,http://a/3.jpg", "http://a/https://b/4.jpg"]) == [
        "http://a/1,2.jpg",
        "http://a/3.jpg",
        "http://a/https://b/4.jpg",
    ]
    assert image_paths({"contentUrl": ["d.jpg"], "url": "page"}) == ["d.jpg"]
    with pytest.raises(ValueError, match="an image must be a path or an address, not a number"):
        image_paths(17)


@pytest.mark.parametrize(
    ("cell", "paths"),
    [
        ('["/a.jpg","/b, c.jpg"]', ["/a.jpg", "/b, c.jpg"]),
        (
            "['https://a.example/1.jpg', 'https://a.example/2.jpg']",
            ["https://a.example/1.jpg", "https://a.example/2.jpg"],
        ),
        ('{"0":"https://a.example/1.jpg","1":"b.jpg"}', ["https://a.example/1.jpg", "b.jpg"]),
        ('[{"url":"https://a.example/1.jpg","alt":"x"}]', ["https://a.example/1.jpg"]),
        ("a.jpg, b.PNG", ["a.jpg", "b.PNG"]),
        ("red, blue.jpg", ["red, blue.jpg"]),
        ("[1] a.jpg", ["[1] a.jpg"]),
    ],
)
def test_a_cell_with_a_list_of_images_gives_all_images(cell: str, paths: list[str]):
    assert image_paths(cell) == paths


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"position": 2}, {"position": 1}),
        ({"rank": 2}, {"rank": 1}),
        ({"sortOrder": 10, "isMain": False}, {"sortOrder": 9}),
        ({"position": 1}, {"position": 2, "is_main": True}),
    ],
)
def test_images_are_in_the_order_that_they_state(first: dict[str, Any], second: dict[str, Any]):
    assert image_paths([{"url": "b.jpg", **first}, {"url": "a.jpg", **second}]) == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("second", [{}, {"position": 2}, {"position": "0"}, {"position": None}, {"is_main": False}])
def test_images_without_positions_stay_in_their_order(second: dict[str, Any]):
    assert image_paths([{"url": "b.jpg", "position": 2}, {"url": "a.jpg", **second}]) == ["b.jpg", "a.jpg"]


def test_keywords_are_read_from_a_list_or_from_a_text_with_bars_or_commas_between_them():
    assert words("one, two,one") == ["one", "two"]
    assert words("one|two, three") == ["one", "two, three"]
    assert words(["one, two", "three"]) == ["one, two", "three"]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("no tags", "no tags"),
        ("<p>a &amp; b&nbsp;c</p><p>d</p>", "a & b c\nd"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<style>p {}</style>a<script>x < y</script> b", "a b"),
        ("<ul><li>one<li>two</ul>", "one\ntwo"),
        ("3 < 4 and <b>bold", "3 < 4 and bold"),
        ("", ""),
        ("AT&T, R&D and 5 &copy cheap", "AT&T, R&D and 5 &copy cheap"),
        ("Cr&egrave;me &#233; &#xe9;", "Crème é é"),
        ("&lt;p&gt;Very &lt;b&gt;nice&lt;/b&gt;&lt;/p&gt;", "Very nice"),
        ("Salt &amp;amp; Pepper", "Salt & Pepper"),
        ("Size <M> or <XL>", "Size <M> or <XL>"),
        ("I <3 you", "I <3 you"),
        ("a<o:p></o:p> b<!-- c -->", "a b"),
    ],
)
def test_html_becomes_plain_text(html: str, text: str):
    assert plain_text(html) == text


@given(st.lists(st.sampled_from(["a", "/", ",", ";", "|", " ", "http://", "https://", "s3://", "://", "é"])))
def test_the_case_of_the_first_scheme_does_not_change_how_addresses_are_split(rest: list[str]):
    # The code has a fast path for a single address that begins with https:// and has no |. An address that begins with
    # HTTPS:// does not take this path.
    assert image_paths("".join(["https://", *rest])) == [
        path.replace("HTTPS://", "https://") for path in image_paths("".join(["HTTPS://", *rest]))
    ]
