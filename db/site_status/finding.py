"""Defines a finding of `windowshop status`, and how serious it is."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Level(IntEnum):
    """The levels in ascending order. The value is the exit code of `windowshop status`."""

    FINE = 0
    WARNING = 1  # the site works, but not as well as it should: for example slowly or with old data
    BROKEN = 2  # for example: searches or writes fail, or everybody has a right that only the site's roles should have


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. `since` is None where PostgreSQL keeps no time, such as the time of a changed setting.

    `fix` says what to do, such as a command, a statement or a runbook. It is None at the level FINE.
    """

    check: str
    level: Level
    message: str
    since: datetime | None = None
    fix: str | None = None


def fine(check: str, message: str) -> Finding:
    return Finding(check, Level.FINE, message)


def warning(check: str, message: str, fix: str, since: datetime | None = None) -> Finding:
    return Finding(check, Level.WARNING, message, since, fix)


def broken(check: str, message: str, fix: str, since: datetime | None = None) -> Finding:
    return Finding(check, Level.BROKEN, message, since, fix)


def worst(findings: list[Finding]) -> Level:
    return max((finding.level for finding in findings), default=Level.FINE)


def runbook(name: str) -> str:
    return f"docs/runbooks/{name}.md"
