"""Prints messages for people on stderr, and the results of a command on stdout, where programs can read them.

A process that logs JSON writes both to its log instead.
"""

import datetime
import logging
import re
import sys
from typing import TYPE_CHECKING

import structlog
import typer

if TYPE_CHECKING:
    from rich.text import Text

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # a terminal obeys these characters
_logs = False


def log_messages(logs: bool) -> None:
    """With `logs`, each call of `say` and of `tell` writes a log line."""
    global _logs
    _logs = logs


def say(message: str) -> None:
    if _logs:
        _log(message)
    else:
        print(message, file=sys.stderr, flush=True)


def tell(result: str) -> None:
    """Print a result of a process."""
    if _logs:
        _log(result)
    else:
        typer.echo(result)


def tell_now(result: str) -> None:
    """Print a result of a process that runs for days, with the time."""
    now = datetime.datetime.now().astimezone()
    tell(result if _logs else f"{now:%Y-%m-%d %H:%M:%S} {result}")


def plain(text: str) -> "Text":
    """Return a text of the catalog for a table. Its brackets are no markup, and its control characters are replaced."""
    from rich.text import Text

    return Text(_CONTROL.sub("\ufffd", text))


def _log(message: str) -> None:
    """Log the message at the level that its first word names, or else as info."""
    level, separator, rest = message.strip().partition(": ")
    if level in ("warning", "error") and separator:
        structlog.get_logger().log(logging.getLevelNamesMapping()[level.upper()], rest)
    elif shown := message.strip():
        structlog.get_logger().info(shown)
