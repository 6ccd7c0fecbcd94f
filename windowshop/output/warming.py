"""Reads the indexes into memory while a service starts, and reports the result."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from db.roles import Role
from windowshop.output.terminal import say

if TYPE_CHECKING:
    from db.engine import Database
    from db.lifecycle.warming import Warmed

SILENT_SECONDS = 3  # a statement that still runs this long after the context has ended loses its connection
WORTH_MENTIONING = 64 << 20  # bytes; less is read within a moment


@contextmanager
def warming(database: "Database", role: Role) -> Iterator[None]:
    """Read the indexes into memory in a thread, so that the service need not wait. Reading stops when the context ends.

    `role` is the role with which the service reads.
    """
    from db.errors import WindowshopError
    from db.lifecycle.warming import warm

    stop = threading.Event()

    def read() -> None:
        try:
            warmed = warm(database, role, stop=stop)
        except WindowshopError as error:
            if stop.is_set():
                return
            say(f"The indexes were not read into memory: {error.message}.")
            return
        if not stop.is_set() and (warmed.bytes > WORTH_MENTIONING or not warmed.available):
            for line in describe(warmed):
                say(line)

    thread = threading.Thread(target=read, name="warm")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(SILENT_SECONDS)
        while thread.is_alive():
            database.end_waits()
            thread.join(1)


def describe(warmed: "Warmed") -> list[str]:
    """Return lines about the relations that were read into memory and those that were not."""
    if not warmed.available:
        return [
            "The indexes were not read into memory, because the database lacks the extension pg_prewarm. "
            "A superuser runs: CREATE EXTENSION pg_prewarm;"
        ]
    lines = [f"{len(warmed.relations)} indexes and tables are in memory, {warmed.bytes / 2**20:,.0f} MB."]
    if warmed.left_out:
        lines.append(f"Not read, because effective_cache_size is too small: {', '.join(warmed.left_out)}.")
    return lines
