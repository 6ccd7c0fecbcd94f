"""Repeats a transaction that failed because other sessions wrote the same rows."""

import time
from collections.abc import Callable
from typing import TypeVar

from db.errors import DatabaseError

SQLSTATES = ("40001", "40P01")  # serialization failure, deadlock detected
ATTEMPTS = 5  # a transaction that fails with these errors is tried at most this many times in all

Result = TypeVar("Result")


def with_retry(write: Callable[[], Result]) -> Result:
    """Returns the result of `write`, which runs one transaction and undoes the transaction if it fails."""
    for attempt in range(1, ATTEMPTS):
        try:
            return write()
        except DatabaseError as error:
            if error.sqlstate not in SQLSTATES:
                raise
            time.sleep(0.1 * attempt)
    return write()
