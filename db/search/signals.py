"""Defines, lists and drops ranking signals, sets their weights and refreshes them.

The SQL is in `db/functions/ranking/signals/`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

_ADD = text(
    "select shop.add_signal(:name, :view, :value_column, :key, :normalise, cast(:half_life as interval), :weight, "
    ":visible, :catalog)"
)
_STATE = text(
    "select name, source, normalise, weight, visible, defined_by, refreshed_at, problem from shop.signal_state()"
)
_SET_WEIGHT = text("update shop.signal set weight = :weight where name = :name returning name")
_DROP = text("select shop.drop_signal(:name)")
_REFRESH = text("select shop.refresh_signals()")


@dataclass(frozen=True, slots=True)
class Signal:
    """A row of shop.signal_state()."""

    name: str
    source: str | None  # None: a built-in signal
    normalise: str | None
    weight: float
    visible: str
    defined_by: str | None
    refreshed_at: datetime | None
    problem: str | None  # why the signal cannot be read


def add(
    conn: Connection,
    name: str,
    view: str,
    *,
    value_column: str = "value",
    key: str = "product_id",
    normalise: str = "percentile",
    half_life: str | None = None,
    weight: float = 0.0,
    visible: str = "all",
    catalog: str | None = None,
) -> None:
    """Make a column of a view a signal. Searches read the signal with the rights of the role of `conn`. Raises
    DatabaseError if shop.add_signal refuses the view or another argument."""
    values = {"name": name, "view": view, "value_column": value_column, "key": key, "normalise": normalise}
    more = {"half_life": half_life, "weight": weight, "visible": visible, "catalog": catalog}
    conn.execute(_ADD, {**values, **more})


def state(conn: Connection) -> Sequence[Signal]:
    """Return the signals that the role of `conn` sees, in the order of their names."""
    return [Signal(*row) for row in conn.execute(_STATE)]


def set_weight(conn: Connection, name: str, weight: float) -> bool:
    """Set the weight that a signal has in searches that give it no weight. Returns False if there is no such signal."""
    return conn.scalar(_SET_WEIGHT, {"name": name, "weight": weight}) is not None


def drop(conn: Connection, name: str) -> None:
    """Remove a signal. Raises DatabaseError if there is none, if it is built in, or if another role defined it."""
    conn.execute(_DROP, {"name": name})


def refresh(conn: Connection) -> int:
    """Compute the popularity and the distributions of signals. Returns the number of signals with a new distribution;
    built-in signals do not count."""
    return int(conn.scalar(_REFRESH) or 0)
