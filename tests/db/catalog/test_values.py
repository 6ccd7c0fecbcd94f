"""Availabilities, image hashes, GTINs, quantities and ratings are read in the notations that shops use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.catalog import values


@pytest.mark.parametrize(
    ("cell", "word"),
    [
        ("in stock", "in_stock"),
        ("in_stock", "in_stock"),
        ("In Stock", "in_stock"),
        ("https://schema.org/InStock", "in_stock"),
        ("http://schema.org/OutOfStock", "out_of_stock"),
        ("SoldOut", "out_of_stock"),
        ("pre-order", "preorder"),
        ("BackOrder", "backorder"),
        ("auf Lager", "in_stock"),
        ("Verfugbar", "in_stock"),
        ("En stock", "in_stock"),
        ("Rupture de stock", "out_of_stock"),
        ("epuise", "out_of_stock"),
        ("Épuisé", "out_of_stock"),
        ("niet op voorraad", "out_of_stock"),
        ("Vorbestellbar", "preorder"),
        ("su ordinazione", "backorder"),
    ],
)
def test_each_spelling_of_an_availability_becomes_one_of_four_words(cell: str, word: str):
    assert values.availability(cell) == word


def test_the_error_for_an_unknown_availability_quotes_the_cell():
    with pytest.raises(ValueError, match='availability "maybe" is none of'):
        values.availability("maybe")


def test_a_negative_number_is_refused_as_an_availability():
    with pytest.raises(ValueError, match='availability "-1" is none of'):
        values.availability("-1")


def test_sixteen_hexadecimal_digits_become_an_image_hash_of_64_bits():
    assert values.phash("8000000000000001") == "1" + "0" * 62 + "1"
    for wrong in ("", "8", "g" * 16, "0x" + "0" * 14, "8" * 17):
        with pytest.raises(ValueError, match="16 hexadecimal digits"):
            values.phash(wrong)


@given(st.text("0123456789", min_size=7, max_size=15))
def test_a_gtin_of_a_valid_length_is_accepted_if_and_only_if_its_check_digit_is_right(code: str):
    weights = [1 if place % 2 == 0 else 3 for place in range(len(code))]
    total = sum(weight * int(digit) for weight, digit in zip(weights, reversed(code), strict=True))
    if len(code) in (8, 12, 13, 14) and total % 10 == 0:
        assert values.gtin(code) == values.gtin(f"{code[:1]} {code[1:]}") == code
    elif len(code) != 10:  # ten digits may be an ISBN
        with pytest.raises(ValueError, match="wrong check digit|does not have"):
            values.gtin(code)


@pytest.mark.parametrize(("cell", "number"), [("5", 5), ("5.0000", 5), ("-2", -2), ("1,290", 1290), ("12 000", 12000)])
def test_a_quantity_is_a_whole_number(cell: str, number: int):
    assert values.quantity(cell) == number


@pytest.mark.parametrize("cell", ["1.5", "1,000", "1.000", "500 g", "", "2147483648"])
def test_a_quantity_that_is_not_a_whole_number_or_is_ambiguous_is_refused(cell: str):
    with pytest.raises(ValueError):
        values.quantity(cell)


@pytest.mark.parametrize(("cell", "on_a_scale_to_5"), [("4.5", "4.5"), ("9/10", "4.5"), ("4,5 out of 5 stars", "4.5")])
def test_a_rating_may_name_its_scale(cell: str, on_a_scale_to_5: str):
    assert str(values.rating(cell)) == on_a_scale_to_5


@pytest.mark.parametrize("cell", ["87", "PG-13", "3/0", "-1"])
def test_a_rating_that_cannot_be_converted_to_the_scale_to_5_is_refused(cell: str):
    with pytest.raises(ValueError):
        values.rating(cell)


@pytest.mark.parametrize(
    ("cell", "number", "availability"),
    [
        ("12", 12, None),
        ("10+", 10, None),
        ("10+ pcs", 10, None),
        ("> 100", 100, None),
        (">=5 Stk.", 5, None),
        ("out of stock", None, "out_of_stock"),
        ("Sold out", None, "out_of_stock"),
        ("ausverkauft", None, "out_of_stock"),
        ("nicht auf Lager", None, "out_of_stock"),
        ("in stock", None, "in_stock"),
        ("Vorbestellbar", None, "preorder"),
        ("in stock (3)", 3, "in_stock"),
        ("In Stock: 1,290", 1290, "in_stock"),
        ("in stock - 3 pcs", 3, "in_stock"),
        ("Auf Lager (> 5 Stk.)", 5, "in_stock"),
        ("En stock (10+)", 10, "in_stock"),
        ("3 in stock", 3, "in_stock"),
        ("10+ verfügbar", 10, "in_stock"),
        ("0 in stock", 0, "out_of_stock"),
        ("out of stock (0)", 0, "out_of_stock"),
        ("out of stock (3)", None, "out_of_stock"),
        ("backorder (3)", 3, "backorder"),
    ],
)
def test_a_stock_may_be_a_number_or_words_or_both(cell: str, number: int | None, availability: str | None):
    assert values.stock(cell) == (number, availability)


@pytest.mark.parametrize(
    "cell",
    ["in stock (0)", "in stock (3 days)", "lieferbar in 3 Tagen", "in stock (3-5)", "many", "< 5", "3 boxes", ">"],
)
def test_a_stock_with_unknown_words_or_a_contradiction_is_refused(cell: str):
    with pytest.raises(ValueError, match="is not a whole number"):
        values.stock(cell)
    with pytest.raises(ValueError, match="is none of in_stock"):
        values.availability(cell)


@pytest.mark.parametrize("cell", ["in stock (3)", "Auf Lager: 12 Stk.", "3 available"])
def test_an_availability_may_have_a_number(cell: str):
    assert values.availability(cell) == "in_stock"
