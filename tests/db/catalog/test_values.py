"""Prices, availabilities and image hashes are read as shops write them."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.catalog import values


@pytest.mark.parametrize(
    ("cell", "amount", "currency"),
    [
        ("12.50", "12.50", None),
        ("12", "12.00", None),
        ("+7.5", "7.50", None),
        (".99", "0.99", None),
        ("0", "0.00", None),
        ("12.5000", "12.50", None),
        ("12.50 USD", "12.50", "USD"),
        ("eur 12.50", "12.50", "EUR"),
        ("12,50 €", "12.50", "EUR"),
        ("£12.50", "12.50", "GBP"),
        ("1,299.00", "1299.00", None),
        ("1.299,00", "1299.00", None),
        ("9999999999.99", "9999999999.99", None),
    ],
)
def test_a_price_is_read_as_shops_write_it(cell: str, amount: str, currency: str | None):
    assert values.price(cell) == (Decimal(amount), currency)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("-1", "is negative"),
        ("-0.01 USD", "is negative"),
        ("NaN", "is not a number"),
        ("Infinity", "is not a number"),
        ("-inf", "is not a number"),
        ("1e999", "is not a number"),
        ("1e3", "is not a number"),
        ("0x10", "is not a number"),
        ("١٢", "is not a number"),
        ("free", "is not a number"),
        ("12 34", "is not a number"),
        ("9" * 60, "is not a number"),
        ("1,299", "could be two numbers"),
        ("1.2.3", "could be two numbers"),
        ("10000000000", "is over 9,999,999,999.99"),
        ("9" * 45, "is over"),
        ("0.005", "more than two decimals"),
        ("USD 5 EUR", "names its currency twice"),
        ("$5", "is not a code of three letters"),
    ],
)
def test_a_price_that_cannot_be_stored_is_refused_with_the_reason(cell: str, reason: str):
    with pytest.raises(ValueError, match=reason):
        values.price(cell)


@settings(deadline=None)
@given(st.text())
def test_any_text_gives_a_price_that_can_be_stored_or_a_reason(cell: str):
    try:
        amount, _ = values.price(cell)
    except ValueError as error:
        assert str(error).startswith(("price", "currency"))  # noqa: PT017 - either outcome is right
    else:
        assert 0 <= amount <= values.MAX_PRICE
        assert amount.as_tuple().exponent == -2


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


def test_an_unknown_availability_is_refused_by_name():
    with pytest.raises(ValueError, match='availability "maybe" is none of'):
        values.availability("maybe")


def test_sixteen_hexadecimal_digits_become_an_image_hash_of_64_bits():
    assert values.phash("8000000000000001") == "1" + "0" * 62 + "1"
    for wrong in ("", "8", "g" * 16, "0x" + "0" * 14, "8" * 17):
        with pytest.raises(ValueError, match="16 hexadecimal digits"):
            values.phash(wrong)
