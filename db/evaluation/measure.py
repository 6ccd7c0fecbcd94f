"""Runs judged queries through `shop.search` and measures the results.

The module writes nothing. So the role analyst has enough rights, unless the measurement is a trial.

tasks = prepare(conn, judgements.read(conn, suites), filters)   queries, and the judgements to measure against
measured = measure(conn, task, serving(conn), how)              a MeasuredLeg for each leg

A *leg* is a ranking by image, by title or by keyword; *hybrid* fuses all three. A *direction* is the kind of query and
the leg that answers it, such as text->image, text->keywords, text->hybrid or image->image. To measure a leg alone, a
search gives all other legs the weight 0.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import Connection, text

from db.errors import DatabaseError
from db.evaluation.asking import Filter, search
from db.evaluation.fusion import LEGS, Case, LegWeights, keyword_factors, only
from db.evaluation.judgements import JudgedQuery
from db.evaluation.metrics import NDCG_DEPTH, Values, index_recall, ndcg_at_k, recall_at_k, reciprocal_rank
from db.search.ranking import SearchHit

Progress = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Task:
    """The queries of one kind, suite and catalog, to be measured under one filter.

    The grades in `queries` omit the products that the filter excludes.
    """

    suite: str
    catalog: str
    kind: str
    filter: Filter | None
    selectivity: float | None  # share of the catalog's products that pass the filter; None without a filter
    queries: Sequence[JudgedQuery]
    # The number of queries that are not measured. A query is not measured if none of its relevant products is in the
    # catalog and passes the filter. A query with a product's first image is also not measured if this image is not
    # encoded.
    left_out: int

    @property
    def has_text(self) -> bool:
        return "text" in self.kind

    @property
    def legs(self) -> tuple[str, ...]:
        return (*(leg for leg in LEGS if leg != "keyword" or self.has_text), "hybrid")

    @property
    def yardstick(self) -> str:
        """A hash of the queries and judgements. Two runs are comparable only if their hashes are equal."""
        lines = [f"{one.query_id} {key} {one.grades[key]}\n" for one in self.queries for key in sorted(one.grades)]
        return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Serving:
    """The measured model, with the weights and the calibration that its searches use."""

    model_id: int
    model: str
    revision: str
    weights: LegWeights  # the default weights of a search with a text
    calibration: Mapping[str, int] | None

    def default_weights(self, task: Task) -> LegWeights:
        """Return the default weights of a search. If the task's queries have no text, only the image leg counts."""
        return self.weights if task.has_text else replace(self.weights, title=0.0, keyword=0.0)


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """Options of a measurement. `weights` are the weights of the hybrid.

    If `weights` or `route` is None, the searches use their default. With `trial`, the searches take the exact route and
    treat the measured model as if it were serving.
    """

    k: int = 10
    weights: LegWeights | None = None
    route: str | None = None
    index_recall: bool = True  # also measure which share of an exact scan's results the index finds
    trial: bool = False


@dataclass(frozen=True, slots=True)
class MeasuredLeg:
    task: Task
    leg: str
    k: int
    setting: Mapping[str, Any]
    results: Sequence[Sequence[str]]  # for each query, the SKUs that were found, best first
    metrics: tuple[str, ...]
    values: Values  # an array of the shape (queries, metrics)

    @property
    def direction(self) -> str:
        return f"{self.task.kind}->{'keywords' if self.leg == 'keyword' else self.leg}"

    def column(self, metric: str) -> Values:
        return self.values[:, self.metrics.index(metric)]


def serving(conn: Connection) -> Serving:
    """Return the serving model. Raises DatabaseError when no model is serving."""
    name = conn.scalar(text("select name from shop.model where status = 'serving'"))
    if name is None:
        raise DatabaseError("no model is serving", hint='Choose a model with "windowshop model serve NAME".')
    return as_if_serving(conn, name)


def as_if_serving(conn: Connection, name: str) -> Serving:
    """Return the model `name`, even if it does not serve. Raises DatabaseError for an unknown or retired model."""
    row = conn.execute(
        text("select model_id, name, revision from shop.model where name = :name and status <> 'retired'"),
        {"name": name},
    ).one_or_none()
    if row is None:
        raise DatabaseError(f"there is no model {name}, or it is retired", hint='See "windowshop model status".')
    fitted = conn.execute(
        text("select name, value from shop.tuning where model_id = :id and name = any (:names)"),
        {"id": row.model_id, "names": list(LegWeights().as_tuning())},
    )
    weights = LegWeights.tuned({each.name: each.value for each in fitted})
    calibration = conn.execute(
        text(
            "select calibration_id, ef_search, crossover_rows from shop.calibration where model_id = :id "
            "order by calibration_id desc limit 1"
        ),
        {"id": row.model_id},
    ).one_or_none()
    known = None if calibration is None else dict(calibration._mapping)
    return Serving(row.model_id, row.name, row.revision, weights, known)


def prepare(conn: Connection, queries: Sequence[JudgedQuery], filters: Sequence[Filter | None] = (None,)) -> list[Task]:
    """Group the queries into tasks: one task for each suite, catalog, kind of query and filter.

    Keeps the judgements of products that are in the catalog and pass the filter, even if these products are not
    encoded. A search that misses such a product therefore gets lower figures. Drops the queries that `Task.left_out`
    counts.
    """
    tasks = []
    groups = sorted({(one.suite, one.catalog, one.kind) for one in queries})
    for suite, catalog, kind in groups:
        group = [one for one in queries if (one.suite, one.catalog, one.kind) == (suite, catalog, kind)]
        for condition in filters:
            findable, selectivity = _findable(conn, catalog, group, condition)
            askable = _encoded(conn, group)
            kept = [
                one
                for one in (_narrowed(each, findable) for each in group)
                if any(one.grades.values()) and (one.product_id is None or one.product_id in askable)
            ]
            tasks.append(Task(suite, catalog, kind, condition, selectivity, kept, len(group) - len(kept)))
    return tasks


def measure(
    conn: Connection,
    task: Task,
    model: Serving,
    how: MeasureOptions | None = None,
    on_progress: Progress = lambda: None,
) -> list[MeasuredLeg]:
    """Run every query of the task on every leg. `on_progress` is called after each query of each leg.

    Raises DatabaseError if the settings of `model` changed during the measurement. Except in a trial, also raises it if
    another model is serving at the end.
    """
    how = how or MeasureOptions()
    measured = [_measure_leg(conn, task, leg, model, how, on_progress) for leg in task.legs]
    if (as_if_serving(conn, model.model) if how.trial else serving(conn)) != model:
        raise DatabaseError("the serving model or its settings changed during the measurement", hint="Measure again.")
    return measured


def count(tasks: Sequence[Task]) -> int:
    """Return how many times `measure` calls `on_progress` for all tasks together."""
    return sum(len(task.queries) * len(task.legs) for task in tasks)


def _measure_leg(
    conn: Connection, task: Task, leg: str, model: Serving, how: MeasureOptions, on_progress: Progress
) -> MeasuredLeg:
    k = how.k
    depth = max(k, NDCG_DEPTH)
    given = how.weights if leg == "hybrid" else only(leg)
    taken = given or model.default_weights(task)
    trial_of = model.model if how.trial else None
    by_index = how.index_recall and not how.trial and leg in ("image", "title")
    names = (f"recall@{k}", "MRR", f"nDCG@{NDCG_DEPTH}", *((f"index recall@{k}",) if by_index else ()))
    results, values, routes = [], [], dict[str, int]()
    for query in task.queries:
        weights = taken if trial_of else given
        hits = search(conn, query, k=depth, weights=weights, filter=task.filter, route=how.route, trial_of=trial_of)
        ranked = [hit.product_id for hit in hits]
        row = [
            recall_at_k(ranked, query.grades, k),
            reciprocal_rank(ranked, query.grades),
            ndcg_at_k(ranked, query.grades),
        ]
        if by_index:
            row.append(_index_recall(conn, query, task, leg, k, hits if k == depth else None))
        route = "+".join(sorted({hit.route for hit in hits})) or "nothing found"
        routes[route] = routes.get(route, 0) + 1
        results.append([hit.sku for hit in hits])
        values.append(row)
        on_progress()
    setting = {
        "weights": asdict(taken), "route": how.route, "routes": routes, "filter": task.filter,
        "calibration": model.calibration, **({"trial": True} if how.trial else {}),
    }  # fmt: skip
    return MeasuredLeg(task, leg, k, setting, results, names, np.array(values))


def _index_recall(
    conn: Connection, query: JudgedQuery, task: Task, leg: str, k: int, known: list[SearchHit] | None
) -> float:
    """Return the share of an exact scan's results that the HNSW index finds.

    The function compares the results of the routes `hnsw` and `exact`. `known` may hold the first k results of this
    search. If all of them come from one of the two routes, the function runs only the other route.
    """

    def distances(route: str) -> list[float]:
        taken = {hit.route for hit in known or ()} == {route}
        hits = (
            known if known and taken else search(conn, query, k=k, weights=only(leg), filter=task.filter, route=route)
        )
        return [getattr(hit, f"{leg}_distance") for hit in hits]

    return index_recall(distances("hnsw"), distances("exact"))


def _findable(
    conn: Connection, catalog: str, queries: Sequence[JudgedQuery], condition: Filter | None
) -> tuple[set[UUID], float | None]:
    """Return the judged products that pass the filter, and the share of the catalog's products that pass the filter."""
    judged = list({key for query in queries for key in query.grades})
    passes, selectivity = "true", None
    if condition is not None:
        passes = str(
            conn.scalar(text("select shop_private.filter_condition(cast(:f as jsonb))"), {"f": json.dumps(condition)})
        )
        # The statement goes to the driver directly, because SQLAlchemy would read a colon as the start of a parameter.
        # The driver reads %% as %.
        passes = passes.replace("%", "%%")
        share = f"select avg(coalesce(({passes}), false)::integer)::float8 from shop.product p where p.catalog = %(in)s"
        selectivity = conn.exec_driver_sql(share, {"in": catalog}).scalar()
    rows = conn.exec_driver_sql(
        f"select p.product_id from shop.product p where p.product_id = any (%(ids)s) and ({passes})", {"ids": judged}
    )
    return set(rows.scalars()), selectivity


def _encoded(conn: Connection, queries: Sequence[JudgedQuery]) -> set[UUID]:
    ids = [query.product_id for query in queries if query.product_id is not None]
    rows = conn.execute(
        text("select product_id from shop.image_vector where product_id = any (:ids) and position = 0"), {"ids": ids}
    )
    return set(rows.scalars())


def _narrowed(query: JudgedQuery, findable: set[UUID]) -> JudgedQuery:
    return replace(query, grades={key: grade for key, grade in query.grades.items() if key in findable})


def leg_lists(
    conn: Connection, task: Task, depth: int, on_progress: Progress = lambda: None, trial_of: str | None = None
) -> Iterator[tuple[JudgedQuery, Case]]:
    """Yield each query with the products that each leg finds alone, best first."""
    for query in task.queries:
        hits = {leg: search(conn, query, k=depth, weights=only(leg), trial_of=trial_of) for leg in task.legs[:-1]}
        lists = {leg: [hit.product_id for hit in found] for leg, found in hits.items()}
        scores = {hit.product_id: hit.keyword_score or 0.0 for hit in hits.get("keyword", ())}
        on_progress()
        yield query, Case(lists, query.grades, keyword_factors(scores))
