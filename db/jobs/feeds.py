"""Stores when each feed is loaded, in UTC, and with which arguments of `windowshop load`. Also lists the jobs, and
counts the feeds whose last load failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from croniter import croniter
from croniter.croniter import CroniterError
from sqlalchemy import Connection, func, select, text

from db.errors import SettingsError
from db.tables.jobs import feed

FIELDS = 5  # minute hour day month weekday
MAX_ARGUMENTS = 200
MAX_CHARACTERS = 20_000  # of all arguments together


@dataclass(frozen=True)
class Schedule:
    name: str
    cron: str
    arguments: Sequence[str]
    due_at: datetime
    ended_at: datetime | None
    exit_code: int | None
    report: str | None


@dataclass(frozen=True)
class Job:
    task: str
    feed: str | None
    state: str  # a state of procrastinate, such as todo, doing or failed
    attempts: int
    at: datetime | None  # when the job entered this state


@dataclass(frozen=True)
class Overview:
    feeds: int
    failed: int  # feeds whose last load ended with an error
    late_seconds: float  # seconds for which the oldest waiting load has been due; 0 if no load waits


def next_time(cron: str, after: datetime) -> datetime:
    """Return the first time after `after` at which the expression matches, in UTC.

    Raises SettingsError for a text that is no cron expression, and for one that never matches.
    """
    written = cron.strip()
    try:
        if len(written.split()) != FIELDS and not written.startswith("@"):
            raise ValueError
        following: datetime = croniter(written, after.astimezone(UTC)).get_next(datetime)
    except (CroniterError, ValueError, KeyError, AttributeError) as error:
        raise SettingsError(
            f'"{cron}" is not a cron expression that has a next time',
            hint="Give minute, hour, day, month and weekday, in UTC: '*/15 * * * *' is every 15 minutes, '0 4 * * *' "
            "every day at 4 o'clock.",
        ) from error
    return following


def add(conn: Connection, name: str, cron: str, arguments: Sequence[str]) -> datetime:
    """Store a schedule and return the time of its first load. A schedule of this name is replaced.

    Raises SettingsError for too many or too long arguments, and in the cases of `next_time`.
    """
    if len(arguments) > MAX_ARGUMENTS or sum(map(len, arguments)) > MAX_CHARACTERS:
        raise SettingsError(
            f"a schedule has at most {MAX_ARGUMENTS} arguments, with at most {MAX_CHARACTERS:,} characters together"
        )
    due = next_time(cron, datetime.now(UTC))
    conn.execute(
        text(
            "insert into shop_private.feed (name, cron, arguments, due_at) values (:name, :cron, :arguments, :due) "
            "on conflict (name) do update set cron = excluded.cron, arguments = excluded.arguments, "
            "due_at = excluded.due_at"
        ),
        {"name": name, "cron": cron.strip(), "arguments": list(arguments), "due": due},
    )
    return due


def remove(conn: Connection, name: str) -> bool:
    return conn.execute(feed.delete().where(feed.c.name == name)).rowcount > 0


def run_soon(conn: Connection, name: str) -> bool:
    """Make a feed due. A running `windowshop jobs` notices this within about 15 seconds."""
    return conn.execute(feed.update().where(feed.c.name == name).values(due_at=func.clock_timestamp())).rowcount > 0


def schedules(conn: Connection) -> list[Schedule]:
    c = feed.c
    rows = conn.execute(
        select(c.name, c.cron, c.arguments, c.due_at, c.ended_at, c.exit_code, c.report).order_by(c.name)
    )
    return [Schedule(*row) for row in rows]


def overview(conn: Connection) -> Overview:
    """Return the state of all feeds. A load that waits for its next attempt is due at the time of this attempt."""
    row: Any = conn.execute(
        text(
            "with due (at) as (select due_at from shop_private.feed union all "
            "select coalesce(j.scheduled_at, e.at) from shop_jobs.procrastinate_jobs j "
            "join shop_jobs.procrastinate_events e on e.job_id = j.id and e.type = 'deferred' "
            "where j.task_name = 'load_feed' and j.status = 'todo') "
            "select count(*), count(*) filter (where exit_code <> 0), "
            "(select greatest(extract(epoch from clock_timestamp() - min(at)), 0)::float8 from due) "
            "from shop_private.feed"
        )
    ).one()
    return Overview(*row)


def jobs(conn: Connection, most: int) -> list[Job]:
    """Return the newest jobs except look_around. A job that succeeds is deleted, so it is not among them."""
    rows: Any = conn.execute(
        text(
            "select j.task_name, j.args ->> 'name', j.status::text, j.attempts, "
            "(select max(e.at) from shop_jobs.procrastinate_events e where e.job_id = j.id) "
            "from shop_jobs.procrastinate_jobs j where j.task_name <> 'look_around' order by j.id desc limit :most"
        ),
        {"most": most},
    )
    return [Job(*row) for row in rows]
