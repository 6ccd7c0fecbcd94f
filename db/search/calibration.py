"""Measuring the live catalog for the router (`shop.calibrate`), and what it found."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Calibration:
    """The router's figures. Times in microseconds; `measured`: recall, candidates and milliseconds of each setting."""

    model: str
    products: int
    k: int
    target_recall: float
    recall: float | None  # None: so few products that the index is not used
    queries: int
    query_kind: str
    ef_search: int  # unfiltered
    slack: float  # filtered; in Euclidean distance of unit vectors; see hnsw_leg.sql
    exact_us_per_row: float
    hnsw_us_per_candidate: float
    crossover_rows: int
    background_mean: float
    background_deviation: float
    measured: list[dict[str, Any]]


def calibrate(conn: Connection, *, target_recall: float, k: int, queries: int) -> Calibration:
    """Measure and store. Commit yourself. Raises StatementRefused for figures that make no sense, DatabaseError while
    nothing is encoded."""
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
