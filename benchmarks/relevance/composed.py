"""Measures searches by a product and a change of it in words, such as "but red", on the triples of triples.py.

Four searches are compared. `image` searches by the image of the product alone, and `text` by the words of the change
alone. `fusion` has the product and the words as its two inputs, and fuses their rankings. `change` searches by the
product, with the words as the option `change`. The metric is the mean reciprocal rank (MRR) of the first right product.
The given product is never a result.

The head of the starter model is the only part that is trained here, and it has not seen the concepts of the products.
The constants of the option `change` were chosen on the half `tuning` of the triples; all figures with a goal come from
the half `test`.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.progress import Progress
from sqlalchemy import Connection

from benchmarks.relevance import triples
from benchmarks.relevance.split_site import CACHE, split_site
from benchmarks.relevance.triples import CATALOGS, Triple
from benchmarks.support.report import Line, keep
from benchmarks.support.site import Site
from db.catalog.store import staging, upsert
from db.evaluation.metrics import Interval, bootstrap, reciprocal_rank
from db.roles import Role
from db.search import ranking
from db.search.ranking import SearchParams
from encoder.starter.training import splits
from encoder.starter.training.fit import Material
from encoder.starter.training.pairs import Pair
from windowshop.starter import gather

SEARCHES = ("image", "text", "fusion", "change")
DEPTH = 100  # a right product at a later rank counts as not found


@dataclass(frozen=True)
class Asked:
    """The reciprocal rank of the first right product in each search."""

    triple: int  # number of the triple in triples.csv, from 0
    half: str
    kind: str
    catalog: str
    image: float
    text: float
    fusion: float
    change: float


def run(numbers: Sequence[int] = range(1, splits.COUNT + 1)) -> None:
    with Progress(transient=True) as progress:
        material = gather(CACHE, progress)
    asked = [one for number in numbers for one in _measure(material, number)]
    lines = [line for catalog in CATALOGS for line in _lines(catalog, asked)]
    tested = sum(one.half == "test" for one in asked) // len(CATALOGS)
    title = f"An image and a change in words: MRR [95 % interval], {tested} test triples a catalog"
    keep("composed", title, lines, {"splits": list(numbers), "asked": [asdict(one) for one in asked]})


def _searches(triple: Triple, catalog: str) -> dict[str, SearchParams]:
    given = json.dumps([{"sku": triples.sku(triple.source)}])
    return {
        "image": SearchParams(inputs=given, catalog=catalog, k=DEPTH),
        "text": SearchParams(query=triple.change, catalog=catalog, k=DEPTH),
        "fusion": SearchParams(inputs=given, query=triple.change, catalog=catalog, k=DEPTH),
        "change": SearchParams(inputs=given, change=triple.change, catalog=catalog, k=DEPTH),
    }


def _measure(material: Material, number: int) -> list[Asked]:
    asked = [(place, triple) for place, triple in enumerate(triples.read()) if triple.split == number]
    with tempfile.TemporaryDirectory() as folder:

        def fill(measured: Site, pairs: Sequence[Pair]) -> None:
            names = triples.coloured([triple for _, triple in asked], number)
            with measured.database.connect(Role.APP) as conn, conn.begin():
                for catalog in CATALOGS:
                    with staging(conn) as stage:
                        for product in triples.products(pairs, names, catalog, Path(folder)):
                            stage(product)
                    upsert(conn, catalog=catalog, image_root=Path(folder))

        with (
            split_site(material, number, {}, fill) as (measured, _),
            measured.database.connect(Role.ANALYST) as reading,
        ):
            conn = reading.execution_options(isolation_level="AUTOCOMMIT")
            return [
                Asked(place, triple.half, triple.kind, catalog, **_ranks(conn, triple, catalog))
                for place, triple in asked
                for catalog in CATALOGS
            ]


def _ranks(conn: Connection, triple: Triple, catalog: str) -> dict[str, float]:
    right = dict.fromkeys(map(triples.sku, triple.right), 1)
    return {
        name: reciprocal_rank([hit.sku for hit in ranking.search(conn, params).rows], right)
        for name, params in _searches(triple, catalog).items()
    }


def _lines(catalog: str, asked: Sequence[Asked]) -> list[Line]:
    here = [one for one in asked if one.catalog == catalog]
    test = [one for one in here if one.half == "test"]
    found, over = _intervals(test)
    lines = [Line(f"{catalog}: {name} alone", _shown(found[name])) for name in ("image", "text")]
    lines += [Line(f"{catalog}: fusion of image and text", _shown(found["fusion"]))]
    for other in ("image", "fusion"):
        apart = found["change"].low > found[other].high
        lines.append(
            Line(
                f"{catalog}: option change, beside {other}",
                f"{_shown(found['change'])}, {_shown(over[other], '+')} more",
                f"low end above {found[other].high:.3f}",
                apart,
            )
        )
    for what, part in (
        ("drawn", [one for one in test if one.kind == "drawn"]),
        ("coloured", [one for one in test if one.kind == "coloured"]),
        ("tuning half", [one for one in here if one.half == "tuning"]),
    ):
        if part:
            shown = ", ".join(f"{name} {one.value:.3f}" for name, one in _intervals(part)[0].items())
            lines.append(Line(f"{catalog}, {what}, {len(part)} triples", shown))
    return lines


def _intervals(asked: Sequence[Asked]) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """Returns the MRR of each search, and by how much the MRR of `change` exceeds that of each search."""
    values = np.array([[getattr(one, name) for name in SEARCHES] for one in asked])
    more = values[:, [SEARCHES.index("change")]] - values
    found, over = bootstrap(values), bootstrap(more)
    return dict(zip(SEARCHES, found, strict=True)), dict(zip(SEARCHES, over, strict=True))


def _shown(one: Interval, sign: str = "") -> str:
    return f"{one.value:{sign}.3f} [{one.low:{sign}.3f} {one.high:{sign}.3f}]"
