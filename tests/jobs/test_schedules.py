"""A cron expression gives the next time of a schedule, in UTC, or is refused."""

from datetime import UTC, datetime

import pytest

from db.errors import SettingsError
from db.jobs import feeds


@pytest.mark.parametrize(
    ("cron", "following"),
    [
        ("*/15 * * * *", "2026-03-01 10:15"),
        ("0 4 * * *", "2026-03-02 04:00"),
        ("30 6 * * mon", "2026-03-02 06:30"),
        ("@hourly", "2026-03-01 11:00"),
        ("0 0 29 2 *", "2028-02-29 00:00"),
    ],
)
def test_the_next_time_of_a_schedule_is_computed(cron: str, following: str) -> None:
    assert f"{feeds.next_time(cron, datetime(2026, 3, 1, 10, 7, tzinfo=UTC)):%Y-%m-%d %H:%M}" == following


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "every day",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "0 0 30 2 *",
        "* * * * mon#9",
        "@never",
        "\0 * * * *",
        "*/0 * * * *",
    ],
)
def test_a_text_that_is_no_schedule_is_refused(cron: str) -> None:
    with pytest.raises(SettingsError, match="is not a cron expression that has a next time"):
        feeds.next_time(cron, datetime.now(UTC))
