# ruff: noqa: RUF001 - the prices contain characters of many scripts
"""Prices are read in the notations that shops use.

"1,290" can mean 1290 or 1.29. The currency or other prices of the file can decide the meaning of such an ambiguous
price. Otherwise the price is refused, so no stored price is wrong by a factor of 1000.
"""

import csv
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.catalog import prices
from db.catalog.prices import MAX_PRICE, DecimalMarks, decided, is_ambiguous, number_text, price

# Prices in the notation of each locale of Unicode's CLDR, written by Babel's format_currency.
with (Path(__file__).parent / "prices_by_locale.tsv").open(encoding="utf-8", newline="") as table:
    BY_LOCALE = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))

# The symbol of each of these currencies is read as a more common currency that has the same symbol.
SAME_SYMBOL = ("FKP", "GIP", "SHP", "SSP")


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
        ("1 299,00 €", "1299.00", "EUR"),
        ("1\u00a0299,00 €", "1299.00", "EUR"),
        ("1\u202f299,00 €", "1299.00", "EUR"),
        ("1 234 Kč", "1234.00", "CZK"),
        ("CHF 1'299.00", "1299.00", "CHF"),
        ("1’299.00 CHF", "1299.00", "CHF"),
        ("CHF 12.-", "12.00", "CHF"),
        ("12,90 zł", "12.90", "PLN"),
        ("kr 199,-", "199.00", None),
        ("1.299,- €", "1299.00", "EUR"),
        ("R$ 12,90", "12.90", "BRL"),
        ("US$12", "12.00", "USD"),
        ("$19.99 USD", "19.99", "USD"),
        ("$1,299.00", "1299.00", None),
        ("₹1,29,999.00", "129999.00", "INR"),
        ("¥1,500", "1500.00", None),
        ("150.000 IDR", "150000.00", "IDR"),
        ("1.500.000 ₫", "1500000.00", "VND"),
        ("4399 ₽", "4399.00", "RUB"),
        ("Rs. 499", "499.00", None),
        ("Rs.499", "499.00", None),
        ("0.500", "0.50", None),
        ("1234.500", "1234.50", None),
        ("19.989999771118164", "19.99", None),
        ("١٢", "12.00", None),
        ("١٬٢٩٩٫٥٠ ر.س", "1299.50", "SAR"),
    ],
)
def test_a_price_is_read_in_the_notations_that_shops_use(cell: str, amount: str, currency: str | None):
    assert price(cell) == (Decimal(amount), currency)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("-1", "is negative"),
        ("-0.01 USD", "is negative"),
        ("1.299,00-", "is negative"),
        ("NaN", "is not a number"),
        ("Infinity", "is not a number"),
        ("-inf", "is not a number"),
        ("1e999", "is not a number"),
        ("1e3", "is not a number"),
        ("0x10", "is not a number"),
        ("12⁹⁹", "is not a number"),
        ("10.00 - 20.00", "is not a number"),
        ("free", "is not a number"),
        ("12 34", "is not a number"),
        ("9" * 60, "is not a number"),
        ("1,299", "could be two numbers"),
        ("1.2.3", "has groups of digits that are not thousands"),
        ("10000000000", "is over 9,999,999,999.99"),
        ("9" * 45, "is over"),
        ("0.005", "more than two decimals"),
        ("USD 5 EUR", "names its currency twice"),
        ("1.290", "could be two numbers"),
        ("1.290 €", "could be two numbers"),
        ("1,290 KWD", "could be two numbers"),
        ("1.290 IQD", "could be two numbers"),
        ("5 € / kg", "is not a number"),
    ],
)
def test_a_price_that_cannot_be_stored_is_refused_with_the_reason(cell: str, reason: str):
    with pytest.raises(ValueError, match=reason):
        price(cell)


@pytest.mark.parametrize(
    ("cell", "amount", "currency", "remark"),
    [
        ("12.90 incl. VAT", "12.90", None, None),
        ("12,90 € inkl. MwSt.", "12.90", "EUR", None),
        ("12,90 € inkl. 19% MwSt. zzgl. Versandkosten", "12.90", "EUR", None),
        ("CHF 12.90 TTC", "12.90", "CHF", None),
        ("12,90 € IVA incl.", "12.90", "EUR", None),
        ("€ 12,90 incl. btw", "12.90", "EUR", None),
        ("129 kr inkl. moms", "129.00", None, None),
        ("12,90 zł brutto", "12.90", "PLN", None),
        ("1 290 Kč s DPH", "1290.00", "CZK", None),
        ("1 290 ₽ с НДС", "1290.00", "RUB", None),
        ("129,90 TL KDV dahil", "129.90", "TRY", None),
        ("¥1,290 税込", "1290.00", None, None),
        ("１，２９０円（税込）", "1290.00", "JPY", None),
        ("1,290円(税込)", "1290.00", "JPY", None),
        ("₹1,299.00 (incl. of all taxes)", "1299.00", "INR", None),
        ("$12.90 AUD inc. GST", "12.90", "AUD", None),
        ("12,90 €*", "12.90", "EUR", None),
        ("only $12.90", "12.90", None, None),
        ("12.90 / pc", "12.90", None, None),
        ("12,90 € / Stück", "12.90", "EUR", None),
        ("12.90 each", "12.90", None, None),
        ("12.90 excl. VAT", "12.90", None, "a price without tax"),
        ("12,90 € HT", "12.90", "EUR", "a price without tax"),
        ("12.90 net", "12.90", None, "a price without tax"),
        ("12.90 + VAT", "12.90", None, "a price without tax"),
        ("12,90 zł netto", "12.90", "PLN", "a price without tax"),
        ("1290円(税抜)", "1290.00", "JPY", "a price without tax"),
        ("from 12.90", "12.90", None, "the lowest price"),
        ("ab 12,90 €", "12.90", "EUR", "the lowest price"),
        ("Ab 12,90 € inkl. MwSt.", "12.90", "EUR", "the lowest price"),
        ("à partir de 12,90 €", "12.90", "EUR", "the lowest price"),
        ("da 12,90 €", "12.90", "EUR", "the lowest price"),
        ("от 1 290 ₽", "1290.00", "RUB", "the lowest price"),
        ("12.90 USD", "12.90", "USD", None),
    ],
)
def test_words_beside_a_price_are_read(cell: str, amount: str, currency: str | None, remark: str | None):
    assert price(cell) == (Decimal(amount), currency)
    assert prices.remark(cell) == remark


@pytest.mark.parametrize(
    "cell",
    [
        "12.90 / kg", "12,90 €/100g", "12.90-19.90", "was 20 now 12.90", "2 for 12.90", "ca. 12,90", "12.90 PCS",
        "12.90 (3 pcs)", "12.90 per month", "12,90 € UVP", "from 12.90 excl. VAT", "12.90 incl. VAT excl. VAT",
        "incl. VAT", "from", "12.90 VAT",
    ],
)  # fmt: skip
def test_words_that_make_a_price_uncertain_are_refused(cell: str):
    with pytest.raises(ValueError, match="is not a number"):
        price(cell)


def test_a_decided_price_keeps_the_meaning_of_its_words():
    for cell, expected in (("ab 1.290 €", "from 1290 EUR"), ("1.290 € HT", "1290 EUR excl. tax")):
        assert decided(cell, None, ",") == expected
        assert (price(expected)[0], prices.remark(expected)) == (1290, prices.remark(cell))


@settings(deadline=None)
@given(st.text())
def test_any_text_gives_a_price_that_can_be_stored_or_an_error_with_a_reason(cell: str):
    try:
        amount, _ = price(cell)
    except ValueError as error:
        assert str(error).startswith(("price", "currency"))  # noqa: PT017 - both outcomes are valid
    else:
        assert 0 <= amount <= MAX_PRICE
        assert amount.as_tuple().exponent == -2


def read(cells: list[str], currency: str | None = None) -> list[str]:
    """Returns the amount of each price of a file, and "refused" for each price that `price` refuses."""
    marks = DecimalMarks()
    for cell in cells:
        marks.observe(cell, currency)
    amounts = []
    for cell in cells:
        try:
            amounts.append(str(price(cell, currency, marks.mark_of(cell, currency))[0]))
        except ValueError:
            amounts.append("refused")
    return amounts


@pytest.mark.parametrize(
    ("cells", "amounts"),
    [
        (["1.290 €", "1.290,00 €", "1.500"], ["1290.00", "1290.00", "1500.00"]),
        (["1.290", "12,90"], ["1290.00", "12.90"]),
        (["1.290", "1.290.000"], ["1290.00", "1290000.00"]),
        (["1,290", "12.90"], ["1290.00", "12.90"]),
        (["1.290", "12.90", "5"], ["1.29", "12.90", "5.00"]),
        (["1.290", "5"], ["refused", "5.00"]),
        (["1.290", "12.90", "12,90"], ["refused", "12.90", "12.90"]),
        (["1.290", "1.299", "12.90"], ["refused", "refused", "12.90"]),
        (["1.290 €", "12,90 €", "12.90 USD"], ["1290.00", "12.90", "12.90"]),
        (["1.500 JPY", "12.90 USD"], ["refused", "12.90"]),
        (["12.345 KWD", "1,290 KWD", "12,90 EUR"], ["12.34", "refused", "12.90"]),
        (["12.345 KWD", "1,290 KWD", "1,290.500 KWD"], ["12.34", "1290.00", "1290.50"]),
        (["1.290,500 KWD", "2.500 KWD"], ["1290.50", "2500.00"]),
    ],
)
def test_an_ambiguous_price_is_decided_by_the_other_prices_of_the_file_or_refused(cells: list[str], amounts: list[str]):
    assert read(cells) == amounts


def test_a_currency_in_another_column_also_decides_an_ambiguous_price():
    assert read(["12.500", "0.250"], "KWD") == ["12.50", "0.25"]
    assert read(["1.500", "2.000"], "JPY") == ["1500.00", "2000.00"]
    with pytest.raises(ValueError, match=r"is in \$, currency is EUR"):
        price("$5", "EUR")


def test_the_function_decided_writes_an_ambiguous_price_as_a_text_with_one_meaning():
    assert decided("1.290 €", None, ",") == "1290 EUR"
    assert decided("1.290", None, ".") == "1.2900"
    assert not is_ambiguous(decided("$1.290", None, ","))


@pytest.mark.parametrize("number", [1.125, 1290.0, 12.5, Decimal("1.250"), Decimal(7), 19.989999771118164])
def test_the_text_of_a_number_is_not_ambiguous(number: float | Decimal):
    assert not is_ambiguous(number_text(number))


def test_a_price_in_the_notation_of_a_locale_is_read_with_its_amount_or_is_ambiguous():
    for locale, rows in groupby(BY_LOCALE, key=lambda row: row["locale"]):
        cells = [row["written"] for row in rows]
        assert set(read(cells)) != {"refused"}, locale
    for row in BY_LOCALE:
        try:
            amount, currency = price(row["written"])
        except ValueError:
            assert is_ambiguous(row["written"]), row
        else:
            assert abs(amount - Decimal(row["amount"])) <= Decimal("0.01"), row
            assert currency in (None, row["currency"]) or row["currency"] in SAME_SYMBOL, row


def _price_or_fault(cell: str, currency: str | None) -> tuple[Decimal, str | None] | str:
    try:
        return price(cell, currency)
    except ValueError as error:
        return str(error).replace(f'"{cell}"', "price")


CODES = sorted({code for code in prices.SYMBOLS.values() if len(code) == 3} | {*prices.SHARED, "abc", "Eur", "xXx"})


@given(
    st.from_regex(r"[0-9]{1,11}(\.[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(CODES),
    st.sampled_from([None, "EUR", "USD", "KWD", "JPY"]),
)
def test_one_or_two_blanks_between_an_amount_and_a_currency_code_make_no_difference(
    amount: str, code: str, currency: str | None
):
    # A price with one blank takes a fast path in the code, and a price with two blanks does not.
    one, two = f"{amount} {code}", f"{amount}  {code}"
    assert _price_or_fault(one, currency) == _price_or_fault(two, currency)
    assert is_ambiguous(one) == is_ambiguous(two)
