"""Defines a finding of `windowshop status`, and how serious it is."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Level(IntEnum):
    """The levels in ascending order. The value is the exit code of `windowshop status`."""

    FINE = 0
    WARNING = 1  # the site works, but slowly, with old data, or with a setting that is lost
    BROKEN = 2  # searches or writes fail, or a right is open to everybody


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. `since` is None where PostgreSQL keeps no time, such as the time of a changed setting.

    `fix` is a command, a statement or a runbook; it is None at the level FINE.
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
