"""Stores judgements and measures the judged queries with the toy model."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from db.evaluation import history
from db.evaluation.judgements import Judgement, add, read
from db.evaluation.measure import MeasuredLeg, MeasureOptions, measure, prepare, serving
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop


def judged(shop: "Shop", *rows: tuple[str, str, int], suite: str = "default", **fields: object) -> None:
    """Store judgements from rows of (query, sku, grade), as the role app."""
    with shop.database.connect(Role.APP) as conn, conn.begin():
        add(conn, [one(query, sku, grade, suite=suite, **fields) for query, sku, grade in rows])


def one(query: str | None, sku: str, grade: int, *, suite: str = "default", **fields: object) -> Judgement:
    given = {"catalog": "main", "picture": None, "picture_sku": None, **fields}
    return Judgement(suite=suite, query=query, sku=sku, grade=grade, **given)  # type: ignore[arg-type]


def fill(shop: "Shop", count: int = 40) -> None:
    """Load and encode products. The title of the product with SKU `sku<n>` holds the word `sku<n>`."""
    shop.add(*(f"sku{n}" for n in range(count)))
    shop.encode_all()


def suite_of_words(shop: "Shop", count: int = 40) -> None:
    """Judge each product relevant to the query that equals its SKU. Keywords find the product, and random vectors find
    it only by chance. For n from 0 to 4, product sku<n + 1> is relevant to query sku<n> too, with a lower grade."""
    fill(shop, count)
    for n in range(count):
        shop.cache(f"sku{n}", seed=n + 1)  # seed 0 would give the vector of the first product
    judged(shop, *((f"sku{n}", f"sku{n}", 3) for n in range(count)), *((f"sku{n}", f"sku{n + 1}", 1) for n in range(5)))


def run(conn: Connection, how: MeasureOptions | None = None, **options: Any) -> list[MeasuredLeg]:
    tasks = prepare(conn, read(conn, ["default"]))
    model = serving(conn)
    return [leg for task in tasks for leg in measure(conn, task, model, how, **options)]


def by_direction(measured: Sequence[MeasuredLeg]) -> dict[str, MeasuredLeg]:
    return {leg.direction: leg for leg in measured}


def kept(shop: "Shop", measured: Sequence[MeasuredLeg]) -> int:
    with shop.database.connect(Role.APP) as conn, conn.begin():
        return history.keep(conn, measured, serving(conn))
