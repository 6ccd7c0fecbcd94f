"""Measures the recall of searches whose nearest products lie in several regions of the vector space, or far from the
query.

A mix is a query of several weighted products. Two shops are measured: one has a single catalog, the other has several
catalogs of different sizes. Each search is by a mix or by a text, in one catalog, with or without a filter. Some
filters select regions away from the query. numpy compares every image with the query to find the right products. The
distance of a product is the distance of its nearest image. All products at the same distance as the k-th product are
equally right.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from benchmarks.search.clusters import TYPES, ClusteredCatalog, Mix
from benchmarks.search.clusters_load import ClusteredShop
from benchmarks.search.load import address
from benchmarks.search.timing import K
from benchmarks.support.report import Line, Report, Table, quantile
from db.roles import Role

TARGET, LOWEST = 0.98, 0.5  # least mean recall@10 of a family, and least recall@10 of a search
MIXES, TEXTS, FAR = 120, 400, 60  # number of searches in a family of mixes, of texts, and under a filter
CALIBRATION_TEXTS = 150
_ROUNDING = 2e-5  # tolerance of a similarity, because half-precision sums depend on the order of their summands

SEARCH = """
    select product_id, complete, reason, total, total_is, image_position, image_distance from shop.search(
        inputs => %(inputs)s::jsonb, filter => %(filter)s::jsonb, catalog => %(catalog)s::text, k => 10,
        title_weight => 0, keyword_weight => 0)"""


@dataclass(frozen=True)
class Search:
    """One search. `vector` is the combined vector of `inputs`. Only products that are in `matching` and not in
    `excluded` are right answers."""

    inputs: Sequence[Mapping[str, object]]
    vector: NDArray[np.float32]
    catalog: str
    filter: Mapping[str, object] | None
    matching: NDArray[np.bool_]
    excluded: Sequence[int] = ()


@dataclass(frozen=True)
class Family:
    name: str
    searches: Sequence[Search]


@dataclass(frozen=True)
class Answers:
    """The answers to a family of searches. `other_image` counts the rows that do not show the product's image that is
    nearest to the query."""

    recalls: NDArray[np.float64]
    seconds: NDArray[np.float64]
    incomplete: int
    other_image: int
    compared: int  # searches whose column `reason` is not null, often because all matches were compared after a scan
    totals: Sequence[str]  # each value of total_is, with the largest relative error of the totals of that kind


def families(catalog: ClusteredCatalog) -> Iterator[Family]:
    for name in catalog.shares:
        inside = catalog.catalog == name
        if inside[catalog.encoded].sum() < 3:
            continue
        yield Family(f"mixes in {name}", [_mix(mix, name, None, inside) for mix in catalog.mixes(MIXES, name)])
        yield Family(f"texts in {name}", [_text(text, name, None, inside) for text in catalog.texts(TEXTS)])
    largest = next(iter(catalog.shares))
    inside = catalog.catalog == largest
    for share in TYPES:
        kind = f"t{share * 100:g}"
        owned = catalog.product_type == kind
        far = [_text(text, largest, {"product_type": kind}, inside & owned) for text in catalog.texts(FAR, ~owned)]
        yield Family(f"far filter {share:.0%}", far)
        mixed = [_mix(mix, largest, {"product_type": kind}, inside & owned) for mix in catalog.mixes(FAR, largest)]
        yield Family(f"mixes, filter {share:.0%}", mixed)


def _mix(mix: Mix, catalog: str, filter_: Mapping[str, object] | None, matching: NDArray[np.bool_]) -> Search:
    products = mix.products.tolist()
    given = [
        {"sku": f"sku-{product}", "weight": weight}
        for product, weight in zip(products, mix.weights.tolist(), strict=True)
    ]
    return Search(given, mix.vector, catalog, filter_, matching, products)


def _text(
    vector: NDArray[np.float16], catalog: str, filter_: Mapping[str, object] | None, matching: NDArray[np.bool_]
) -> Search:
    given = {"vector": vector.astype(float).tolist(), "model": "bench"}
    return Search([given], vector.astype(np.float32), catalog, filter_, matching)


def answer(shop: ClusteredShop, family: Family) -> Answers:
    catalog = shop.catalog
    images = catalog.images.astype(np.float32)
    recalls, seconds, incomplete, other, compared = [], [], 0, 0, 0
    totals: dict[str, float] = {}
    with psycopg.connect(address(shop.database, Role.ANALYST), autocommit=True) as conn:
        for search in family.searches:
            similarity = images @ search.vector / np.linalg.norm(search.vector)
            best = np.full(catalog.rows, -np.inf, np.float32)
            np.maximum.at(best, catalog.product, similarity)
            best[~search.matching] = -np.inf
            best[list(search.excluded)] = -np.inf
            needed = min(K, int(np.isfinite(best).sum()))
            given = {
                "inputs": json.dumps(search.inputs),
                "filter": json.dumps(search.filter) if search.filter else None,
                "catalog": search.catalog,
            }
            started = time.perf_counter()
            rows = conn.execute(SEARCH, given, prepare=True).fetchall()
            seconds.append(time.perf_counter() - started)
            found = np.unique([shop.numbers[row[0]] for row in rows]).astype(int)
            bar = np.partition(best, -needed)[-needed] - _ROUNDING if needed else 0.0
            recalls.append(float((best[found] >= bar).sum()) / needed if needed else 1.0)
            incomplete += len(rows) < needed or not all(row[1] for row in rows)
            compared += bool(rows and rows[0][2])
            other += sum(1 - row[6] < best[shop.numbers[row[0]]] - 1e-3 for row in rows)
            for row in rows[:1]:
                right = int(search.matching.sum()) - (len(search.excluded) if search.filter is None else 0)
                totals[row[4]] = max(totals.get(row[4], 0.0), abs(row[3] / max(1, right) - 1))
    said = [f"{kind} {off:.0%}" for kind, off in sorted(totals.items())]
    return Answers(np.array(recalls), np.array(seconds), incomplete, other, compared, said)


def table_row(name: str, found: Answers) -> list[str]:
    return [
        name,
        f"{found.recalls.mean():.3f}",
        f"{found.recalls.min():.2f}",
        f"{(found.recalls < LOWEST).sum()} of {len(found.recalls)}",
        str(found.incomplete),
        str(found.compared),
        str(found.other_image),
        ", ".join(found.totals),
        f"{quantile(list(found.seconds), 0.5) * 1000:.1f}",
        f"{quantile(list(found.seconds), 0.95) * 1000:.1f}",
    ]


HEADER = [
    "searches",
    "mean",
    "lowest",
    "below .5",
    "incomplete",
    "compared",
    "other image",
    "total off by",
    "p50",
    "p95",
]


def run(shops: Mapping[str, ClusteredShop]) -> Report:
    """Measure each shop. The keys are descriptions of the shops."""
    tables: list[Table] = []
    raw: dict[str, Any] = {}
    found: dict[str, Answers] = {}
    for what, shop in shops.items():
        calibrate(shop)
        rows = []
        for family in families(shop.catalog):
            name = f"{family.name}, {what}"
            found[name] = answer(shop, family)
            rows.append(table_row(family.name, found[name]))
            print(what, *rows[-1], sep=" | ", flush=True)
            raw[name] = {"recalls": found[name].recalls.tolist(), "seconds": found[name].seconds.tolist()}
        tables.append(Table(what, HEADER, rows))
    size = next(iter(shops.values())).catalog.rows
    title = f"Mixes, texts and far filters, {size:,} products in clusters"
    return Report("search_mixed", title, list(goals(found)), raw, tables)


def goals(found: Mapping[str, Answers]) -> Iterator[Line]:
    for kind in ("mixes", "texts", "far filter"):
        those = {name: answers.recalls for name, answers in found.items() if name.startswith(kind)}
        worst = min(those, key=lambda name: those[name].mean())
        mean = float(those[worst].mean())
        below = sum(int((recalls < LOWEST).sum()) for recalls in those.values())
        searches = sum(len(recalls) for recalls in those.values())
        yield Line(f"{kind}: lowest mean recall@10 ({worst})", f"{mean:.3f}", f">= {TARGET}", mean >= TARGET)
        yield Line(f"{kind}: searches below {LOWEST}, of {searches}", str(below), "0", below == 0)


def calibrate(shop: ClusteredShop) -> None:
    """Calibrate with texts that are not used in the searches."""
    texts = shop.catalog.texts(CALIBRATION_TEXTS, seed=9)
    with psycopg.connect(address(shop.database, None), autocommit=True) as conn:
        register_vector(conn)
        conn.execute("delete from shop_private.query_embedding")
        conn.cursor().executemany(
            "insert into shop_private.query_embedding (model_id, key, query, embedding) "
            "values (1, sha256(convert_to('t' || %s::text, 'UTF8')), %s, %b)",
            [(f"text {number}", f"text {number}", HalfVector(vector)) for number, vector in enumerate(texts)],
        )
        conn.execute("analyze")
        conn.execute("select shop.calibrate()")
