"""Promotes a model, or rolls back to an earlier model. Both first check whether searches would lose results."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, text

from db import schema
from db.engine import Database
from db.errors import DatabaseError
from db.evaluation.metrics import NDCG_DEPTH, Interval, bootstrap
from db.lifecycle.indexes import every_index
from db.lifecycle.serving import serve_model
from db.lifecycle.status import PartCoverage, coverage
from db.work.items import Part

NEEDS_INDEX = 10_000  # a table with more vectors needs an index, because an exact scan takes too long for a search
NAMED = 5  # a refusal names at most this many quarantined products


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """Two models compared on the same judgements: nDCG@10 of hybrid search with each model, and the difference."""

    what: str  # the suite and the direction
    queries: int
    run: int
    rival_run: int
    ndcg: float
    rival_ndcg: float
    difference: Interval

    @property
    def shown(self) -> str:
        """The difference with its interval and the number of queries, for people to read."""
        one = self.difference
        return f"{one.value:+.3f} [{one.low:+.3f},{one.high:+.3f}] over {self.queries}"


@dataclass(frozen=True, slots=True)
class Switched:
    """The result of a switch. `before` is the other model that served before the switch, or None if none did."""

    now: str
    before: str | None
    coverage: dict[Part, PartCoverage]
    comparisons: list[ModelComparison]
    overruled: list[str]  # the reasons against a switch that was forced


def promote(database: Database, name: str, *, force: bool = False, allow_quarantined: bool = False) -> Switched:
    """Make a model serve. Without `force`, raises DatabaseError if `_gaps`, `_without_index` or `_worse` finds a reason
    against the switch, or if no encoder runs the model. The error has all reasons of the three functions.

    If no other model serves, none of this is checked. An unknown or retired model is always refused.
    """
    against, comparisons = list[str](), list[ModelComparison]()
    with _as_administrator(database) as conn:
        before = serving_name(conn)
        covered = coverage(conn, exact=True).get(name, {})
        if covered and before is not None and before != name:  # an unknown or retired model has no coverage
            comparisons = comparisons_of(conn, name, before)
            against = [
                *_gaps(conn, name, covered, allow_quarantined),
                *_without_index(conn, name),
                *_worse(comparisons),
            ]
    if against and not force:
        raise DatabaseError(
            f"model {name} is not promoted: {'; '.join(against)}", hint="--force promotes the model anyway."
        )
    serve_model(database, name, force=force)
    return Switched(name, None if before == name else before, covered, comparisons, against)


def rollback(database: Database, *, force: bool = False) -> Switched:
    """Switch back to the model that served before. A second call undoes the first call.

    Raises DatabaseError if no other model served before, or if the model that served before is retired. Without
    `force`, it also raises DatabaseError if that model lacks vectors or if no encoder runs it.
    """
    with _as_administrator(database) as conn:
        before, name = serving_name(conn), _previous(conn)
        covered = coverage(conn, exact=True)[name]
    behind = _unfinished(covered)
    if behind and not force:
        raise DatabaseError(
            f"model {name} lacks vectors: {behind}",
            hint='Searches would not find these items. Let "windowshop encode" encode the items, or use --force.',
        )
    serve_model(database, name, force=force)
    return Switched(name, before, covered, [], [behind] if behind else [])


@contextmanager
def _as_administrator(database: Database) -> Iterator[Connection]:
    with database.connect(None) as conn, conn.begin():
        schema.check(conn)
        yield conn


def serving_name(conn: Connection) -> str | None:
    name: str | None = conn.scalar(text("select name from shop.model where status = 'serving'"))
    return name


def comparisons_of(conn: Connection, name: str, rival: str) -> list[ModelComparison]:
    """Return the newest comparison for each suite, catalog and kind of query on which trials measured both models."""
    pairs = conn.execute(
        text(
            """
            select distinct on (a.suite, a.catalog, a.direction) a.suite, a.direction, a.run, b.run as rival_run,
                a.evaluation_id, b.evaluation_id as rival_id
            from shop.evaluation a
            join shop.model am on (am.name, am.revision) = (a.model, a.revision)
            join shop.evaluation b using (suite, catalog, direction, yardstick, k)
            join shop.model bm on (bm.name, bm.revision) = (b.model, b.revision)
            where a.model = :name and b.model = :rival and a.direction like '%->hybrid'
              and a.setting ? 'trial' and b.setting ? 'trial'
            order by a.suite, a.catalog, a.direction, a.evaluation_id desc, b.evaluation_id desc"""
        ),
        {"name": name, "rival": rival},
    ).all()
    return [_comparison(conn, *pair) for pair in pairs]


def _comparison(
    conn: Connection, suite: str, direction: str, run: int, rival_run: int, own: int, other: int
) -> ModelComparison:
    metric = f"nDCG@{NDCG_DEPTH}"
    rows = conn.execute(
        text(
            "select (a.metrics ->> :metric)::float8, (b.metrics ->> :metric)::float8 from shop.evaluation_query a "
            "join shop.evaluation_query b using (query_id) where a.evaluation_id = :own and b.evaluation_id = :other"
        ),
        {"metric": metric, "own": own, "other": other},
    )
    values = np.array([tuple(row) for row in rows], dtype=np.float64)
    [difference] = bootstrap(values[:, :1] - values[:, 1:])
    ndcg, rival_ndcg = map(float, values.mean(axis=0))
    return ModelComparison(f"suite {suite}, {direction}", len(values), run, rival_run, ndcg, rival_ndcg, difference)


def _gaps(conn: Connection, name: str, covered: dict[Part, PartCoverage], allow_quarantined: bool) -> list[str]:
    gaps = [unfinished] if (unfinished := _unfinished(covered)) else []
    quarantined = sum(part.quarantined for part in covered.values())
    if quarantined and not allow_quarantined:
        named = conn.scalars(
            text("select distinct sku from shop.quarantine where model = :name order by sku limit :most"),
            {"name": name, "most": NAMED + 1},
        ).all()
        listed = ", ".join(named[:NAMED]) + (" ..." if len(named) > NAMED else "")
        gaps.append(
            f"{quarantined} items are quarantined ({listed}; see shop.quarantine), which --allow-quarantined accepts"
        )
    return gaps


def _unfinished(covered: dict[Part, PartCoverage]) -> str:
    return ", ".join(
        f"{part.unfinished} of {part.items} {kind}s are not encoded"
        for kind, part in covered.items()
        if part.unfinished
    )


def _without_index(conn: Connection, name: str) -> list[str]:
    valid = {
        index.part for index in every_index(conn, {}) if index.model == name and index.valid and index.label is None
    }
    sizes = conn.execute(
        text(
            "select part, shop_private.row_estimate(format('shop.%I', cast(:name as text) || '_' || part)::regclass) "
            "from (values ('image'), ('title')) as parts(part)"
        ),
        {"name": name},
    )
    return [
        f'its {rows} {part}s have no valid index ("windowshop index status")'
        for part, rows in sizes
        if rows > NEEDS_INDEX and part not in valid
    ]


def _worse(comparisons: list[ModelComparison]) -> list[str]:
    return [
        f"in {each.what}, its nDCG@{NDCG_DEPTH} is {each.ndcg:.3f}, and that of the serving model is "
        f"{each.rival_ndcg:.3f}; difference {each.shown} queries (run {each.run} against {each.rival_run})"
        for each in comparisons
        if each.difference.high < 0
    ]


def _previous(conn: Connection) -> str:
    row = conn.execute(
        text(
            """
            select h.model, h.revision, m.status::text
            from shop.serving_history h
            left join shop.model m on (m.name, m.revision) = (h.model, h.revision)
            where m.status is distinct from 'serving' order by h.serving_id desc limit 1"""
        )
    ).one_or_none()
    if row is None:
        raise DatabaseError("no rollback is possible: no other model has served before")
    if row.status != "building":
        raise DatabaseError(
            f"no rollback is possible: model {row.model}, revision {row.revision}, is retired",
            hint='Add it again with "windowshop model add", let it be encoded, and promote it.',
        )
    return str(row.model)
