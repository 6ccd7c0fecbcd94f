"""Measures the live catalog in short steps, so that a search can choose its route: an index scan, or a comparison of
all matches (the exact route)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from psycopg.errors import Diagnostic
from sqlalchemy import Connection, text

STEP_SECONDS = 1.0  # approximate time of a step; another session may wait this long for a lock that the step holds


@dataclass(frozen=True, slots=True)
class Calibration:
    """The figures by which search chooses its route."""

    model: str
    products: int  # encoded products at the time of the calibration
    k: int
    target_recall: float
    recall: float | None  # None: the catalog has too few products for the index to be used
    queries: int
    query_kind: str
    ef_search: int  # for a search without a filter
    # The stop margin of a filtered index scan, a difference of Euclidean distances between unit vectors. One
    # condition for the end of the scan is that its newest candidates are more than this margin farther from the query
    # than the k-th match. filtered_hnsw_leg.sql has the other conditions.
    slack: float
    exact_us_per_row: float  # microseconds
    hnsw_us_per_candidate: float  # microseconds
    crossover_rows: int  # for up to this many matches, the exact route counts as faster than the index
    background_mean: float  # the mean similarity of queries to random products
    background_deviation: float
    # There is an entry for each setting that was tried, except the settings of label indexes, which are stored in
    # shop.label_index. An entry has the mean recall, the lower 95 % bound of this mean (`lowest`), and the median
    # number of candidates. `ms` is the lower quartile of the searches' times in milliseconds. The last entries measure
    # the chosen settings with queries that are mixes of products, and with filters that exclude the products nearest to
    # the query.
    measured: list[dict[str, Any]]
    # The recalls below the target, and an index that finds more. None: no recall is below the target.
    advice: str | None

    def missed(self) -> list[dict[str, Any]]:
        """Return the entries of `measured` that have a chosen setting and a `lowest` below the target recall.

        The chosen setting for a filter and kind is in the last entry of this filter and kind.
        """
        chosen = {(row["filter"], row.get("kind")): row for row in self.measured}
        return [row for row in chosen.values() if row.get("lowest", 1) < self.target_recall]


def calibrate(
    conn: Connection,
    *,
    target_recall: float,
    k: int,
    queries: int,
    on_progress: Callable[[str], None] = lambda _: None,
    step_seconds: float = STEP_SECONDS,
) -> Calibration:
    """Measure and store the figures. `on_progress` receives a line for each measurement.

    With a connection in autocommit mode, each step is a transaction. A calibration that is stopped loses at most one
    step: the next call with the same arguments continues.

    Raises StatementRefused for arguments out of range, and DatabaseError while no image is encoded or while another
    session calibrates.
    """
    raw = conn.connection.driver_connection
    assert raw is not None

    def receive(notice: Diagnostic) -> None:
        if notice.severity_nonlocalized == "INFO" and notice.message_primary:
            on_progress(notice.message_primary)

    raw.add_notice_handler(receive)
    try:
        arguments = {"target": target_recall, "k": k, "queries": queries, "seconds": step_seconds}
        row, first = None, True
        while row is None:
            row = conn.execute(STEP, {**arguments, "first": first}).one_or_none()
            first = False
    finally:
        raw.remove_notice_handler(receive)
    return Calibration(*row)


STEP = text(
    "select m.name, c.products, c.k, c.target_recall, c.recall, c.queries, c.query_kind, c.ef_search, "
    "c.slack, c.exact_us_per_row, c.hnsw_us_per_candidate, c.crossover_rows, c.background_mean, "
    "c.background_deviation, c.measured, c.advice "
    "from shop_private.calibration_step(:target, :k, :queries, :seconds, :first) c "
    "join shop.model m on m.model_id = c.model_id"
)


def calibration_advice(conn: Connection) -> str | None:
    """Return the advice of the serving model's newest calibration if it missed its target recall, otherwise None."""
    advice: str | None = conn.scalar(
        text(
            "select c.advice from shop.calibration c join shop_private.serving() s on s.model_id = c.model_id "
            "order by c.calibration_id desc limit 1"
        )
    )
    return advice
