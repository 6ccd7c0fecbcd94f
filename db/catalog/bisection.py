"""Writes rows to the database together. If the database refuses them, writes each half alone, down to single rows."""

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
    """Write `rows` together, or in parts if the database refuses a row. Yields each part with the result of `write`.

    The parts come in the order of `rows`. A refused row is a part of its own, with the error as its result. If `write`
    raises an error, it must have undone its changes. Raises StatementRefused if the error has a SQLSTATE whose class is
    not in ROW_AT_FAULT, because then the statement is at fault and not a row.
    """
    try:
        result: Result | StatementRefused = write(rows)
    except StatementRefused as error:
        # An error without a SQLSTATE comes from the driver, which refused to send a value of a row.
        if error.sqlstate is not None and error.sqlstate[:2] not in ROW_AT_FAULT:
            raise
        if len(rows) > 1:
            half = len(rows) // 2
            yield from write_each(write, rows[:half])
            yield from write_each(write, rows[half:])
            return
        result = error
    yield rows, result
