"""`--watch`: load again when the file has changed, until somebody stops it."""

import datetime
import re
import time
from collections.abc import Callable
from pathlib import Path

from db.errors import DatabaseError, LoaderError, SettingsError, WindowshopError
from loader.summary import Summary
from loader.sync import file_state

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_interval(written: str) -> float:
    """Seconds, from "30s", "15m", "2h" or "1d". Raises SettingsError."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)\s*([smhd])", written.strip())
    seconds = float(match[1]) * SECONDS[match[2]] if match else 0.0
    if seconds <= 0:
        raise SettingsError(f'--watch: "{written}" is no interval', hint="Like 30s, 15m, 2h or 1d.")
    return seconds


def watch(
    load: Callable[[], Summary],
    path: Path,
    *,
    every: float,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Load now, then every so many seconds where the file at `path` is another than before; a line a load.

    A load that fails is a line too, and is tried again each time: the file may be mended, the database come back.
    A folder is loaded every time. Ends by KeyboardInterrupt.
    """
    done: object = None
    while True:
        state = file_state(path)
        if done is None or state != done or path.is_dir():
            done = state if _once(load, say) else None
        sleep(every)


def _once(load: Callable[[], Summary], say: Callable[[str], None]) -> bool:
    """Whether there is nothing to try again: rows that are rejected stay so until the file changes."""
    try:
        summary = load()
    except (DatabaseError, LoaderError) as error:
        say(_stamped(f"error: {error.message}"))
        return False
    incomplete: WindowshopError | None = summary.refused
    say(_stamped(summary.line() + (f"; {incomplete.message}" if incomplete else "")))
    return True


def _stamped(line: str) -> str:
    return f"{datetime.datetime.now().astimezone():%Y-%m-%d %H:%M:%S} {line}"
