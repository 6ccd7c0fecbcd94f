"""Measures the live catalog so that search can choose a route (`shop.calibrate`), and returns the result."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Calibration:
    """The figures by which search chooses its route. Fields with `us` are in microseconds.

    `measured` has the recall, candidates and milliseconds of each setting that was tried.
    """

    model: str
    products: int
    k: int
    target_recall: float
    recall: float | None  # None: the index is not used for so few products
    queries: int
    query_kind: str
    ef_search: int  # for a search without a filter
    slack: float  # stop margin of a filtered scan, a Euclidean distance of unit vectors: see filtered_hnsw_leg.sql
    exact_us_per_row: float
    hnsw_us_per_candidate: float
    crossover_rows: int
    background_mean: float
    background_deviation: float
    measured: list[dict[str, Any]]


def calibrate(conn: Connection, *, target_recall: float, k: int, queries: int) -> Calibration:
    """Measure and store the figures; the caller commits.

    Raises StatementRefused for arguments out of range, DatabaseError while no image is encoded.
    """
    row = conn.execute(
        text(
            "select m.name, c.products, c.k, c.target_recall, c.recall, c.queries, c.query_kind, c.ef_search, "
            "c.slack, c.exact_us_per_row, c.hnsw_us_per_candidate, c.crossover_rows, c.background_mean, "
            "c.background_deviation, c.measured from "
            "shop.calibrate(target_recall => :target, k => :k, queries => :queries) c "
            "join shop.model m on m.model_id = c.model_id"
        ),
        {"target": target_recall, "k": k, "queries": queries},
    ).one()
    return Calibration(*row)
