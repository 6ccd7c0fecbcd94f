"""Writes rows to the database. If the database refuses rows that passed validation, halving finds these rows."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from db.errors import StatementRefused

# SQLSTATE classes of errors that a single row causes: data exception, constraint violation, program limit exceeded.
ROW_AT_FAULT = ("22", "23", "54")


Row = TypeVar("Row")
Result = TypeVar("Result")


def write_each(
    write: Callable[[Sequence[Row]], Result], rows: Sequence[Row]
) -> Iterator[tuple[Sequence[Row], Result | StatementRefused]]:
    """Write `rows` together, or in parts if the database refuses a row. Yields each part and its result, in order.

    A refused row is a part of its own, and its result is the error. `write` must leave nothing behind when it raises.
    Raises StatementRefused when the statement itself is at fault.
    """
    try:
        result: Result | StatementRefused = write(rows)
    except StatementRefused as error:
        # an error without a SQLSTATE comes from the driver, which refused to send a value
        if error.sqlstate is not None and error.sqlstate[:2] not in ROW_AT_FAULT:
            raise
        if len(rows) > 1:
            half = len(rows) // 2
            yield from write_each(write, rows[:half])
            yield from write_each(write, rows[half:])
            return
        result = error
    yield rows, result
