"""Availabilities and image hashes are read in the spellings that shops use."""

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
    ],
)
def test_each_spelling_of_an_availability_becomes_one_of_four_words(cell: str, word: str):
    assert values.availability(cell) == word


def test_an_unknown_availability_is_refused_with_an_error_that_quotes_it():
    with pytest.raises(ValueError, match='availability "maybe" is none of'):
        values.availability("maybe")


def test_sixteen_hexadecimal_digits_become_an_image_hash_of_64_bits():
    assert values.phash("8000000000000001") == "1" + "0" * 62 + "1"
    for wrong in ("", "8", "g" * 16, "0x" + "0" * 14, "8" * 17):
        with pytest.raises(ValueError, match="16 hexadecimal digits"):
            values.phash(wrong)


@given(st.text("0123456789", min_size=7, max_size=15))
def test_a_gtin_is_accepted_exactly_if_its_weighted_digits_sum_to_a_multiple_of_ten(code: str):
    weights = [1 if place % 2 == 0 else 3 for place in range(len(code))]
    total = sum(weight * int(digit) for weight, digit in zip(weights, reversed(code), strict=True))
    if len(code) in (8, 12, 13, 14) and total % 10 == 0:
        assert values.gtin(code) == values.gtin(f"{code[:1]} {code[1:]}") == code
    elif len(code) != 10:  # ten digits may be an ISBN
        with pytest.raises(ValueError, match="wrong check digit|does not have"):
            values.gtin(code)
