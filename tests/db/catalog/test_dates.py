"""Dates are read in the notations that shops use. The other dates of a file decide the meaning of an ambiguous date. If
the other dates decide nothing, the date is refused."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.catalog import dates
from db.catalog.dates import DateOrder


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
        ("Jan 31, 2026, 12:00:00 AM", "2026-01-31T00:00:00+00:00"),
        ("January 31st 2026 3:00 PM", "2026-01-31T15:00:00+00:00"),
        ("31-JAN-2026", "2026-01-31T00:00:00+00:00"),
        ("Sat Jan 31 2026 00:00:00 GMT+0200 (EET)", "2026-01-30T22:00:00+00:00"),
        ("Sat, 31 Jan 2026 09:30:00 EST", "2026-01-31T09:30:00-05:00"),
        ("20260131", "2026-01-31T00:00:00+00:00"),
        ("1700000000", "2023-11-14T22:13:20+00:00"),
        ("2026-01-31T0:00-23:59", "2026-01-31T00:00:00+00:00"),
    ],
)
def test_each_notation_of_a_date_is_read_as_a_time_with_a_zone(cell: str, moment: str):
    found = dates.moment(cell)
    assert found is not None
    assert found.isoformat() == moment


def test_a_sale_lasts_to_the_end_of_its_last_day_and_a_placeholder_is_no_date():
    assert dates.moment("2026-01-31", is_end=True) == dates.moment("2026-01-31T0:00-23:59", is_end=True)
    end = dates.moment("2026-01-31", is_end=True)
    assert end is not None
    assert end.isoformat() == "2026-01-31T23:59:59+00:00"
    assert dates.moment("9999-12-31", is_end=True) is None
    assert dates.moment("0000-00-00 00:00:00") is None


@pytest.mark.parametrize(
    "cell",
    [
        "4/1/26",
        "2026-13-01",
        "2026-02-30",
        "soon",
        "0026-01-01",
        "2026-01-31T25:00Z",
        "26/04/01",
        "2026131",
        "31012026",
        "Jan 2026",
        "31 Mai 2026",
        "13/13/26",
    ],
)
def test_a_date_that_is_ambiguous_or_impossible_or_unreadable_is_refused(cell: str):
    with pytest.raises(ValueError, match="2026-01-31"):
        dates.moment(cell)


@given(day=st.dates(date(2010, 1, 1), date(2099, 12, 31)), order=st.booleans(), short=st.booleans())
def test_the_order_of_day_and_month_in_the_file_decides_an_ambiguous_date(day: date, order: bool, short: bool):
    year = f"{day.year % 100:02}" if short else str(day.year)
    cell = f"{day.day}/{day.month}/{year}" if order else f"{day.month}/{day.day}/{year}"
    file = DateOrder()
    for other in ("25/1/2026", "4/5/2026", "soon") if order else ("1/25/2026", "4/5/2026", ""):
        file.observe(other)
    assert file.day_first(cell) is order
    if dates.is_ambiguous(cell):
        with pytest.raises(ValueError, match="could be two dates"):
            dates.moment(cell)
        cell = dates.decided(f"{cell}, 9:30 PM", day_first=order)
    found = dates.moment(cell)
    assert found is not None
    assert found.date() == day


def test_ambiguous_dates_and_contradicting_dates_give_no_order_of_day_and_month():
    file = DateOrder()
    assert file.day_first("4/5/26") is None
    file.observe("4/5/26")
    assert file.day_first("4/5/26") is None
    file.observe("26/04/01")  # 26 could be the year
    assert file.day_first("4/5/26") is None
    file.observe("1/31/26")
    assert file.day_first("4/5/26") is False
    file.observe("31/1/26")
    assert file.day_first("4/5/26") is None


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        (("31/12/2019",), "2001-04-10"),
        (("31/12/25", "5/5/2026"), "2001-04-10"),
        (("12/31/25",), "2001-10-04"),  # 31 is no month, so it is a day, and the year is the last number
        (("26/04/25",), None),  # could be 2026-04-25
        (("10/04/2026",), None),
        (("31/12/2019", "12/31/2019"), None),
    ],
)
def test_a_date_that_may_begin_with_the_year_is_decided_by_dates_that_end_with_the_year(
    others: tuple[str, ...], expected: str | None
):
    order = DateOrder()
    for other in others:
        order.observe(other)
    day_first = order.day_first("10/04/01")
    assert dates.is_ambiguous("10/04/01")
    assert (None if day_first is None else str(dates.moment(dates.decided("10/04/01", day_first=day_first)))[:10]) == (
        expected
    )


@pytest.mark.parametrize("cell", ["26-11-30", "26-04-10", "31-12-26", "12-12-26", "10-04-26"])
def test_a_short_date_with_hyphens_is_read_only_if_another_date_ends_with_the_year(cell: str):
    with pytest.raises(ValueError, match="could be two dates"):
        dates.moment(cell)
    order = DateOrder()
    order.observe(cell)
    assert dates.is_ambiguous(cell)
    assert order.day_first(cell) is None
    order.observe("31-12-2019")
    assert order.day_first(cell) is True
    day, month, year = cell.split("-")
    assert str(dates.moment(dates.decided(cell, day_first=True)))[:10] == f"20{year}-{month}-{day}"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("31/01/26", "2026-01-31"), ("26/11/30", "2030-11-26"), ("01-31-26", "2026-01-31"), ("26-11-99", "2099-11-26"),
     ("26-11-2030", "2030-11-26"), ("9-9-26", "2026-09-09")],
)  # fmt: skip
def test_a_short_date_whose_year_is_certainly_last_is_read_without_other_dates(cell: str, expected: str):
    assert not dates.is_ambiguous(cell)
    assert str(dates.moment(cell))[:10] == expected
