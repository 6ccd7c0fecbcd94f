"""Implements `--watch`, which loads a file again whenever it has changed, until the command is interrupted."""

import re
import time
from collections.abc import Callable
from pathlib import Path

from db.errors import DatabaseError, LoaderError, SettingsError, WindowshopError
from loader.summary import LoadSummary
from loader.sync import file_state

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}  # unit -> its length in seconds


def parse_interval(written: str) -> float:
    """Returns the seconds in an interval such as "30s", "15m", "2h" or "1d". Raises SettingsError for other texts."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)\s*([smhd])", written.strip())
    seconds = float(match[1]) * SECONDS[match[2]] if match else 0.0
    if seconds <= 0:
        raise SettingsError(f'--watch: "{written}" is no interval', hint="For example: 30s, 15m, 2h or 1d.")
    return seconds


def watch(
    load: Callable[[], LoadSummary],
    state: Callable[[], object],
    first: object,
    every: float,
    say: Callable[[str], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Load now. After that, call `state` at intervals of `every` seconds, and load again if its result differs from the
    result at the last load. `first` is the result of `state` before the first load.

    Each load passes one line to `say`, even if the load fails. A failed load is repeated after `every` seconds, because
    by then, someone may have corrected the file, or the database may answer again. If `state` raises LoaderError, it is
    called again after `every` seconds. KeyboardInterrupt ends the loop.
    """
    done: object = None  # the state at the last load, or None if this load failed
    now = first
    while True:
        if done is None or now != done:
            done = now if _once(load, say) else None
        while True:
            sleep(every)
            try:
                now = state()
                break
            except LoaderError as error:
                say(f"error: {error.message}")


def path_state(path: Path) -> object:
    """Returns a value that changes when the file is written or replaced. For a folder, every call returns a new
    value."""
    state = file_state(path)
    return object() if state is not None and path.is_dir() else state


def _once(load: Callable[[], LoadSummary], say: Callable[[str], None]) -> bool:
    """Load once. Returns whether the load succeeded. A load with rejected rows counts as a success, because the rows
    stay rejected until the file changes."""
    try:
        summary = load()
    except (DatabaseError, LoaderError) as error:
        say(f"error: {error.message}")
        return False
    incomplete: WindowshopError | None = summary.refused
    say(summary.line() + (f"; {incomplete.message}" if incomplete else ""))
    return True
