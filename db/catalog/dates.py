"""Reads a date or time as shops write it.

Only one kind of notation could mean two dates: three numbers with slashes or hyphens between them and the year at the
end, as in "4/1/26". `DateOrder` finds out from other dates which number is the day. If the other dates do not show
this, the date is refused, because a sale could start on a wrong day. In a date with hyphens such as "26-04-10" or
"26-11-30", the first number could also be the year. With slashes, this is so only if the last number is below 10, as in
"26/04/01". Such dates are refused too, unless another date shows that the year comes last.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

from db.catalog.prices import shown

FIRST_YEAR, LAST_YEAR = 1900, 2999
FIRST_SHORT_YEAR = 10  # a last number below this, as in "26/04/01", is more likely a day than a year

_TIME = (
    r"(?:(?:T|,?\s+(?:at\s+)?)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>Z|(?:UTC|GMT)?[+\u2212-][0-9]{2}:?(?:[0-9]{2})?|UTC|GMT)?"
    r"(?:\s\([A-Z]+\))?)?"
)
_YEAR_FIRST = re.compile(r"(?P<year>[0-9]{4})([-/.]?)(?P<month>[0-9]{1,2})\2(?P<day>[0-9]{1,2})" + _TIME)
_DAY_FIRST = re.compile(r"(?P<day>[0-9]{1,2})\.(?P<month>[0-9]{1,2})\.(?P<year>[0-9]{4}|[0-9]{2})" + _TIME)
_EITHER_FIRST = re.compile(r"(?P<day>[0-9]{1,2})([/-])(?P<month>[0-9]{1,2})\2(?P<year>[0-9]{4}|[0-9]{2})" + _TIME)
_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\.?,?\s+)?"
_NAMED_MONTH = r"(?P<month>[A-Za-z]{3,9})\.?"
_NAMED = (  # "1 Apr 2026", "01-APR-2026"; "Apr 1, 2026", "April 1st 2026"
    re.compile(
        _WEEKDAY + r"(?P<day>[0-9]{1,2})(?:\.|st|nd|rd|th)?[\s-]" + _NAMED_MONTH + r",?[\s-](?P<year>[0-9]{4})" + _TIME
    ),
    re.compile(_WEEKDAY + _NAMED_MONTH + r"\s(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?,?\s(?P<year>[0-9]{4})" + _TIME),
)
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_NUMBER_OF_MONTH = {
    name: number for number, month in enumerate(_MONTHS, 1) for name in (month, month[:3], month[:4] * (number == 9))
}
# A date as in e-mail, whose zone has a name, such as "Sat, 31 Jan 2026 09:30:00 EST"
_ZONE_WITH_NAME = re.compile(
    r"(?:[A-Z][a-z]{2},\s+)?[0-9]{1,2}\s[A-Z][a-z]{2}\s[0-9]{4}\s[0-9]{2}:[0-9]{2}(?::[0-9]{2})?\s[ECMP][SD]T"
)
_SECONDS = re.compile(r"[0-9]{10}|[0-9]{13}")  # seconds or milliseconds since 1970
_WHOLE_DAY = re.compile(r"(?<=[0-9])T0?0:00-23:59$")  # Meta's template writes a day as "2026-01-31T0:00-23:59"
_NO_DATE = re.compile(r"0000-00-00( 00:00:00)?")  # MySQL writes an empty date like this


@lru_cache
def moment(cell: str, *, is_end: bool = False) -> datetime | None:
    """Read a date or time, such as "2026-01-31", "2026-01-31T09:30:00+01:00", "31.1.2026", "1/31/26, 9:30 AM",
    "Jan 31, 2026" or "Sat, 31 Jan 2026 09:30:00 GMT". A time without a zone is UTC.

    `is_end` means that a date without a time is the end of the day. Returns None for MySQL's empty date. Also returns
    None for an end after the year 2999, which shops write for a sale without an end. Raises ValueError if the cell
    cannot be read as a date, or could be two dates.
    """
    if _NO_DATE.fullmatch(cell):
        return None
    cell = _WHOLE_DAY.sub("", cell)
    try:
        for pattern in (_YEAR_FIRST, _DAY_FIRST, _EITHER_FIRST, *_NAMED):
            if found := pattern.fullmatch(cell):
                return _moment_of(found, cell, is_end)
        if _SECONDS.fullmatch(cell):
            return datetime.fromtimestamp(int(cell[:10]), UTC)
        if _ZONE_WITH_NAME.fullmatch(cell):
            return parsedate_to_datetime(cell)
        raise ValueError(cell)
    except _TwoDates:
        raise ValueError(f'"{shown(cell)}" could be two dates; write the year first: 2026-01-31') from None
    except (ValueError, OverflowError, KeyError):
        raise ValueError(f'"{shown(cell)}" is not a date; write it like 2026-01-31 or 2026-01-31T09:30:00Z') from None


def is_ambiguous(cell: str) -> bool:
    """Returns whether day and month of the date could be exchanged, or day and year."""
    found = _EITHER_FIRST.fullmatch(cell)
    if found is None:
        return False
    day, month = int(found["day"]), int(found["month"])
    return (day != month and max(day, month) <= 12) or _may_begin_with_year(found)


def decided(cell: str, *, day_first: bool) -> str:
    """Returns an ambiguous date, with its time, in a notation that can mean only one date."""
    found = _EITHER_FIRST.fullmatch(cell)
    assert found is not None
    day, month = (found["day"], found["month"]) if day_first else (found["month"], found["day"])
    century = "20" if len(found["year"]) == 2 else ""
    return f"{century}{found['year']}-{month}-{day}{cell[found.end('year') :]}"


class DateOrder:
    """Finds out whether dates have the day or the month first. A date such as "1/31/26" shows the order.

    A date shows that the year comes last if its last number is above 31. A middle number above 12 shows this too:
    it must be the day, and no notation has the day between year and month.
    """

    def __init__(self) -> None:
        self._shown: set[bool] = set()
        self._year_is_last = False

    def observe(self, cell: str) -> None:
        """Takes a date into account. Other texts, and dates in other notations, are ignored."""
        found = _EITHER_FIRST.fullmatch(cell)
        if found is None:
            return
        day, month, year = int(found["day"]), int(found["month"]), int(found["year"])
        self._year_is_last |= year > 31 or month > 12
        if (day > 12) != (month > 12) and (month > 12 or not _may_begin_with_year(found)):
            self._shown.add(day > 12)

    @property
    def is_known(self) -> bool:
        """Whether a date shows the order. Dates that contradict each other count as well."""
        return bool(self._shown)

    def day_first(self, cell: str) -> bool | None:
        """Returns whether the day comes first in an ambiguous date. Returns None if no other date shows this, or if
        dates contradict each other. Also returns None if the first number could be the year, and no other date shows
        that the year comes last."""
        found = _EITHER_FIRST.fullmatch(cell)
        if found and _may_begin_with_year(found):
            if not self._year_is_last:
                return None
            if int(found["month"]) <= 12 < int(found["day"]) or int(found["day"]) == int(found["month"]):
                return True  # only the place of the year was in doubt
        return next(iter(self._shown)) if len(self._shown) == 1 else None


def _may_begin_with_year(found: re.Match[str]) -> bool:
    """Returns whether the first number could be the year, as in "26/04/01" or "26-11-30"."""
    if len(found["year"]) != 2:
        return False
    day, month, year = int(found["day"]), int(found["month"]), int(found["year"])
    is_year_or_day = FIRST_SHORT_YEAR <= day <= 31 and month <= 12 and year <= 31
    return year < FIRST_SHORT_YEAR or (found[2] == "-" and is_year_or_day)


class _TwoDates(ValueError):
    """Day and month, or day and year, could be exchanged."""


def _moment_of(found: re.Match[str], cell: str, is_end: bool) -> datetime | None:
    year, day = int(found["year"]), int(found["day"])
    month = int(found["month"]) if found["month"].isdecimal() else _NUMBER_OF_MONTH[found["month"].lower()]
    if found.re is _YEAR_FIRST and not found[2] and len(found["month"] + found["day"]) < 4:
        raise ValueError(cell)  # such as 2026131
    if found.re is _EITHER_FIRST:
        if month <= 12 and day <= 12 and month != day:
            raise _TwoDates(cell)
        month, day = (day, month) if month > 12 else (month, day)
    if len(found["year"]) == 2:
        year += 2000
        if found.re is _EITHER_FIRST and _may_begin_with_year(found):
            raise _TwoDates(cell)
    if is_end and year > LAST_YEAR:
        return None
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(cell)
    if found["hour"] is None:
        day_begins = datetime(year, month, day, tzinfo=UTC)
        return day_begins.replace(hour=23, minute=59, second=59) if is_end else day_begins
    hour = int(found["hour"])
    if found["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(cell)
        hour = hour % 12 + (12 if found["half"][0] in "Pp" else 0)
    zone = re.sub("UTC|GMT", "", found["zone"] or "Z").replace("\u2212", "-").replace(":", "")
    offset = "+0000" if zone in ("Z", "") else zone if len(zone) == 5 else f"{zone}00"
    time = f"{hour:02}:{found['minute']}:{found['second'] or '00'}.{(found['fraction'] or '0')[:6]:0<6}{offset}"
    return datetime.fromisoformat(f"{year:04}-{month:02}-{day:02}T{time}").astimezone(UTC)
