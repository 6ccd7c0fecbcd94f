"""Reports the coverage, indexes and last evaluation of each model, to help decide about promotion or retirement."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from db.lifecycle.indexes import IndexState, every_index
from db.lifecycle.serving import every_model
from db.work.items import Part


@dataclass(frozen=True, slots=True)
class PartCoverage:
    """Numbers of images or titles of the site. `items` is the sum of the other four numbers."""

    items: int
    done: int
    waiting: int
    leased: int
    quarantined: int
    counts_are: str = "exact"  # or "about": estimates from a sample

    @property
    def unfinished(self) -> int:
        return self.waiting + self.leased


@dataclass(frozen=True, slots=True)
class LastEvaluation:
    run: int
    at: datetime
    suite: str
    direction: str
    ndcg: Mapping[str, float]  # keys: value, low, high


@dataclass(frozen=True, slots=True)
class ModelStatus:
    model: str
    status: str
    source: str
    revision: str
    dimension: int
    coverage: Mapping[Part, PartCoverage]  # empty for a retired model
    indexes: list[IndexState]
    evaluation: LastEvaluation | None


_LAST = text(
    """
    select distinct on (e.model, e.revision) e.model, e.revision, e.run, e.evaluated_at, e.suite, e.direction,
        e.metrics -> 'nDCG@10'
    from shop.evaluation e where e.direction like '%->hybrid' and e.setting ->> 'filter' is null
    order by e.model, e.revision, e.evaluation_id desc"""
)


def model_status(conn: Connection, building: Mapping[int, float]) -> list[ModelStatus]:
    """Return all models in the order in which they were added. `building` comes from db.lifecycle.indexes.building."""
    covered = coverage(conn)
    indexes = every_index(conn, building)
    last = {(row[0], row[1]): LastEvaluation(*row[2:]) for row in conn.execute(_LAST)}
    return [
        ModelStatus(
            row.name,
            row.status,
            row.source,
            row.revision,
            row.dimension,
            covered.get(row.name, {}),
            [index for index in indexes if index.model == row.name],
            last.get((row.name, row.revision)),
        )
        for row in every_model(conn)
    ]


def coverage(conn: Connection, *, exact: bool = False) -> dict[str, dict[Part, PartCoverage]]:
    """Return the coverage of every model that is not retired, by model and part.

    Unless `exact`, the numbers of a large site are estimates.
    """
    found: dict[str, dict[Part, PartCoverage]] = {}
    rows = conn.execute(
        text(
            "select model, part::text, items, done, waiting, leased, quarantined, counts_are "
            "from shop_private.model_coverage(:exact)"
        ),
        {"exact": exact},
    )
    for model, part, *counts in rows:
        found.setdefault(model, {})[part] = PartCoverage(*counts)
    return found
