"""Finds, by halving, the rows that passed validation but that the database refuses, and writes all other rows."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from db.errors import StatementRefused

ROW_AT_FAULT = ("22", "23", "54")  # SQLSTATE classes: data exception, constraint violation, program limit exceeded


Row = TypeVar("Row")
Result = TypeVar("Result")


def write_each(
    write: Callable[[Sequence[Row]], Result], rows: Sequence[Row]
) -> Iterator[tuple[Sequence[Row], Result | StatementRefused]]:
    """Write `rows` together, or in parts if the database refuses a row. Yields the parts in the order of the rows.

    A refused row is a part of its own, with the error. `write` must leave nothing behind when it raises. Raises
    StatementRefused when the statement itself is at fault.
    """
    try:
        result: Result | StatementRefused = write(rows)
    except StatementRefused as error:
        # without a SQLSTATE, the driver refused to send a value
        if error.sqlstate is not None and error.sqlstate[:2] not in ROW_AT_FAULT:
            raise
        if len(rows) > 1:
            half = len(rows) // 2
            yield from write_each(write, rows[:half])
            yield from write_each(write, rows[half:])
            return
        result = error
    yield rows, result
