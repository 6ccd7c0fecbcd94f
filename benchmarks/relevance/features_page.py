"""Measures sorting, groups, diversity, suggestions and regions of an image on a made-up shop with known answers.

Each case has a right answer. Without a feature, all its cases must be wrong; with the feature, all must be right. The
starter model encodes titles and drawn images.
"""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image as Drawing
from PIL import ImageDraw
from sqlalchemy import Connection, text

from benchmarks.relevance.suites import feature_lines
from benchmarks.support.report import keep
from benchmarks.support.site import encoder, site
from db.catalog.product import Image, Product
from db.catalog.store import staging, upsert
from db.roles import Role
from db.search import ranking
from db.search.ranking import SearchHit, SearchParams
from db.search.suggestions import suggest

KINDS = ("mug", "kettle", "teapot", "bottle")
VARIANTS = 8  # this many products of each kind are one group and have the same image
OTHERS = 6  # further products of each kind, each with an image of its own
COLOURS = {"mug": "red", "kettle": "blue", "teapot": "green", "bottle": "yellow"}
QUERIES = ("kettle for induction", "mug with a lid", "teapot with a strainer", "bottle for school")


@dataclass(frozen=True)
class Case:
    feature: str
    name: str
    without: Callable[[Connection], bool]  # whether the answer is right without the feature
    with_feature: Callable[[Connection], bool]


def run() -> None:
    with site() as measured, tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        folder.chmod(0o755)
        with measured.database.connect(Role.APP) as conn, conn.begin():
            with staging(conn) as stage:
                for product in _products(folder):
                    stage(product)
            upsert(conn, catalog="main", image_root=folder)
            for query in QUERIES:
                conn.execute(
                    text(
                        "insert into shop.event (kind, query, visitor, results) "
                        "select 'search', :query, 'v' || n, 3 from generate_series(1, 5) n"
                    ),
                    {"query": query},
                )
        with encoder(measured), measured.database.connect(Role.APP) as app:
            while measured.left():
                time.sleep(0.2)
            conn = app.execution_options(isolation_level="AUTOCOMMIT")
            conn.execute(text("select shop.refresh_suggestions()"))
            cases = list(_cases(folder))
            results = [(case.without(conn), case.with_feature(conn)) for case in cases]
    lines = list(feature_lines([case.feature for case in cases], *zip(*results, strict=True)))
    raw = {
        "cases": [
            {"feature": case.feature, "name": case.name, "without": before, "with": after}
            for case, (before, after) in zip(cases, results, strict=True)
        ]
    }
    keep("features_page", "Sorting, groups, diversity, suggestions and regions of an image", lines, raw)


def _products(folder: Path) -> Iterator[Product]:
    for number, kind in enumerate(KINDS):
        for n in range(VARIANTS + OTHERS):
            picture = f"{kind}-{0 if n < VARIANTS else n}.png"
            _drawn(COLOURS[kind], picture).save(folder / picture)
            yield Product(
                f"{kind}-{n}",
                f"{COLOURS[kind]} {kind}" if n < VARIANTS else f"{COLOURS[kind]} {kind} of the series {n}",
                price=Decimal(10 + (7 * n + number) % 11),
                currency="EUR",
                item_group_id=f"{kind}-group" if n < VARIANTS else None,
                images=(Image(picture),),
            )
    for n in range(40):  # cheap products that fit no query
        yield Product(f"screw-{n}", f"steel screw {n}", price=Decimal(1 + n % 3), currency="EUR")


def _drawn(colour: str, seed: str) -> Drawing.Image:
    chance = random.Random(seed)
    image = Drawing.new("RGB", (160, 160), colour)
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        left, top = chance.randrange(140), chance.randrange(140)
        shade = chance.choice(("black", "white", "grey"))
        draw.rectangle((left, top, left + chance.randrange(8, 50), top + chance.randrange(8, 50)), fill=shade)
    return image


def _cases(folder: Path) -> Iterator[Case]:
    for kind in KINDS:
        query = f"{COLOURS[kind]} {kind}"
        yield Case("sort", query, _is_cheapest(query), _is_cheapest(query, sort="effective_price"))
        yield Case("group_by", query, _has_one_row(query), _has_one_row(query, group_by="item_group_id"))
        yield Case(
            "group_by image", query, _is_varied(query, OTHERS + 1), _is_varied(query, OTHERS + 1, group_by="image")
        )
        yield Case("diversity", query, _is_varied(query, 5), _is_varied(query, 5, diversity=0.5))
    for query in QUERIES:
        yield Case("suggest", query, _found_title(query), _is_suggested(query))
    for left, right in (("mug", "kettle"), ("teapot", "bottle"), ("kettle", "teapot"), ("bottle", "mug")):
        pictures = [Drawing.open(folder / f"{kind}-0.png") for kind in (left, right)]
        scene = Drawing.new("RGB", (320, 160))
        scene.paste(pictures[0], (0, 0))
        scene.paste(pictures[1], (160, 0))
        yield Case("image_box", f"{left}, {right}", _sees(scene, left, right), _sees(scene, left, right, boxes=True))


def _rows(conn: Connection, query: str, **options: Any) -> list[SearchHit]:
    return ranking.search(conn, SearchParams(query=query, **{"k": 7, **options})).rows


def _is_cheapest(query: str, **options: Any) -> Callable[[Connection], bool]:
    """Returns a check that the first page begins with the cheapest product of the kind, and is sorted by
    price."""
    kind = query.split()[1]

    def check(conn: Connection) -> bool:
        rows = _rows(conn, query, filter=f'{{"sku": {{"prefix": "{kind}"}}}}', **options)
        prices = [row.price for row in rows if row.price is not None]
        lowest = conn.scalar(
            text("select min(price) from shop.product where starts_with(sku, :kind)"), {"kind": f"{kind}-"}
        )
        return prices == sorted(prices) and prices[0] == lowest

    return check


def _has_one_row(query: str, **options: Any) -> Callable[[Connection], bool]:
    """Returns a check that the first page has exactly one row of this kind's group."""
    kind = query.split()[1]

    def check(conn: Connection) -> bool:
        rows = _rows(conn, query, **options)
        return sum(row.sku in {f"{kind}-{n}" for n in range(VARIANTS)} for row in rows) == 1

    return check


def _is_varied(query: str, least: int, **options: Any) -> Callable[[Connection], bool]:
    """Returns a check that the first page has at least `least` different images of the kind."""
    kind = query.split()[1]

    def check(conn: Connection) -> bool:
        rows = _rows(conn, query, filter=f'{{"sku": {{"prefix": "{kind}"}}}}', **options)
        return len({row.image_uri for row in rows}) >= least

    return check


def _found_title(query: str) -> Callable[[Connection], bool]:
    """Returns a check that a search for the beginning of the query finds a product whose title is the whole query."""
    return lambda conn: any(row.title == query for row in _rows(conn, query[:6]))


def _is_suggested(query: str) -> Callable[[Connection], bool]:
    return lambda conn: any(row.text == query for row in suggest(conn, query[:6], "main", 5))


def _sees(scene: Drawing.Image, left: str, right: str, *, boxes: bool = False) -> Callable[[Connection], bool]:
    """Returns a check that makes two searches by the image `scene`. The first search must find a product of the kind
    `left`, and the second a product of the kind `right`. With `boxes`, the first search uses only the left half of the
    scene, and the second only the right half."""
    buffer = BytesIO()
    scene.save(buffer, "PNG")

    def check(conn: Connection) -> bool:
        found = [
            ranking.search(
                conn, SearchParams(image=buffer.getvalue(), k=1, image_box=[share, 0.0, 0.5, 1.0] if boxes else None)
            ).rows[0]
            for share in (0.0, 0.5)
        ]
        return [row.sku.split("-")[0] for row in found] == [left, right]

    return check
