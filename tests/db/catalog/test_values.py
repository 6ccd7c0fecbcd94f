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


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2026-01-31", "2026-01-31T00:00:00+00:00"),
        ("2026-01-31T09:30:00Z", "2026-01-31T09:30:00+00:00"),
        ("2026-01-31 09:30", "2026-01-31T09:30:00+00:00"),
        ("2016-02-24T13:00-0800", "2016-02-24T21:00:00+00:00"),
        ("2026-01-31T09:30:00.5+01:00", "2026-01-31T08:30:00.500000+00:00"),
        ("31.1.2026", "2026-01-31T00:00:00+00:00"),
        ("1/31/26, 12:05 AM", "2026-01-31T00:05:00+00:00"),
        ("31/1/2026", "2026-01-31T00:00:00+00:00"),
        ("Sat, 31 Jan 2026 09:30:00 GMT", "2026-01-31T09:30:00+00:00"),
        ("1700000000", "2023-11-14T22:13:20+00:00"),
    ],
)
def test_each_notation_of_a_date_gives_the_same_kind_of_time(cell: str, moment: str):
    found = values.moment(cell)
    assert found is not None
    assert found.isoformat() == moment


def test_the_end_of_a_sale_without_a_time_is_the_end_of_the_day():
    end = values.moment("2026-01-31", is_end=True)
    assert end is not None
    assert end.isoformat() == "2026-01-31T23:59:59+00:00"
    assert values.moment("9999-12-31", is_end=True) is None
    assert values.moment("0000-00-00 00:00:00") is None


@pytest.mark.parametrize("cell", ["4/1/26", "2026-13-01", "2026-02-30", "soon", "0026-01-01", "2026-01-31T25:00Z"])
def test_a_date_that_is_ambiguous_or_impossible_is_refused(cell: str):
    with pytest.raises(ValueError, match="2026-01-31"):
        values.moment(cell)


@pytest.mark.parametrize(("cell", "number"), [("5", 5), ("5.0000", 5), ("-2", -2), ("1,290", 1290), ("12 000", 12000)])
def test_a_quantity_is_a_whole_number(cell: str, number: int):
    assert values.quantity(cell) == number


@pytest.mark.parametrize("cell", ["1.5", "1,000", "1.000", "500 g", "", "2147483648"])
def test_a_quantity_that_is_no_whole_number_or_could_be_two_numbers_is_refused(cell: str):
    with pytest.raises(ValueError):
        values.quantity(cell)


@pytest.mark.parametrize(("cell", "on_a_scale_to_5"), [("4.5", "4.5"), ("9/10", "4.5"), ("4,5 out of 5 stars", "4.5")])
def test_a_rating_may_name_its_scale(cell: str, on_a_scale_to_5: str):
    assert str(values.rating(cell)) == on_a_scale_to_5


@pytest.mark.parametrize("cell", ["87", "PG-13", "3/0", "-1"])
def test_a_rating_without_a_scale_to_5_is_refused(cell: str):
    with pytest.raises(ValueError):
        values.rating(cell)
