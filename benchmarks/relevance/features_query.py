"""Measures the operators of a query, synonyms, corrections and highlights on a made-up shop with known answers.

Each case has a query with the feature, the same query without it, and the products that a shopper means. A case is
right if exactly these products come first. Without a feature, all its cases must be wrong; with the feature, all must
be right. The vectors of titles are those of the starter model.

An excluded word also has a negative weight in the vector of the query. Several such weights are measured, on products
that the word describes but whose titles lack the word. Only the vector can tell these products from the others.
"""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

from sqlalchemy import Connection, text

from benchmarks.relevance.suites import feature_lines
from benchmarks.support.report import Line, keep
from benchmarks.support.site import encoder, site
from db.catalog.product import Product
from db.catalog.store import staging, upsert
from db.roles import Role
from db.search import ranking, synonyms
from db.search.ranking import SearchParams

WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.8)

# sku: title, brand, colour
SHOP = {
    "guitar-1": ("Acoustic guitar", "Nord", "brown"),
    "guitar-2": ("Classical guitar with nylon strings", "Alp", "brown"),
    "guitar-3": ("Electric guitar", "Nord", "red"),
    "guitar-4": ("Electric guitar with amplifier", "Alp", "black"),
    "guitar-5": ("Electric bass guitar", "Nord", "white"),
    "shoe-1": ("Red running shoes", "Alp", "red"),
    "shoe-2": ("Shoes for running on trails", "Nord", "green"),
    "shoe-3": ("Running socks for red shoes", "Alp", "white"),
    "shoe-4": ("White sneakers", "Nord", "white"),
    "shoe-5": ("Canvas trainers", "Alp", "blue"),
    "shirt-1": ("Shirt with long sleeves", "Nord", "white"),
    "shirt-2": ("Long shirt with short sleeves", "Alp", "blue"),
    "jacket-1": ("Rain jacket", "The North Face", "yellow"),
    "jacket-2": ("Rain jacket facing north winds", "Alp", "yellow"),
    "jacket-3": ("Down jacket", "The North Face", "black"),
    "sofa-1": ("Grey sofa with three seats", "Nord", "grey"),
    "sofa-2": ("Corner sofa", "Alp", "beige"),
    "chair-1": ("Office chair", "Nord", "black"),
    "chair-2": ("Garden chair made of plastic", "Alp", "white"),
    "chair-3": ("Chair for an office in the garden", "Nord", "green"),
    "bag-1": ("Leather backpack", "Nord", "black"),
    "bag-2": ("Backpack for hiking", "Alp", "green"),
    "bag-3": ("Rucksack cover", "Alp", "black"),
    "lamp-1": ("Table lamp", "Nord", "white"),
    "lamp-2": ("Lamp for a coffee table", "Alp", "black"),
    "tv-1": ("Television with 50 inches", "Nord", "black"),
    "phone-1": ("Mobile phone", "Alp", "black"),
    "phone-2": ("Phone holder for cars", "Nord", "black"),
    "cup-1": ("Coffee mug", "Nord", "white"),
    "cup-2": ("Tea cup made of glass", "Alp", "white"),
    "umbrella-1": ("Umbrella", "Nord", "black"),
    "scarf-1": ("Woollen scarf", "Alp", "red"),
    "mat-1": ("Yoga mat made of cork and rubber, delivered with a carrying strap and a bag", "Alp", "green"),
    "mat-2": ("Strap for carrying a mat", "Nord", "green"),
    "holder-1": ("Part of a bicycle: aluminium holder that fits every common water bottle", "Nord", "black"),
    "holder-2": ("Holder for a bottle of water", "Alp", "black"),
    "glass-1": ("Set of six crystal glasses with long stems for serving red wine at the table", "Nord", "clear"),
    "glass-2": ("Wine glass, red", "Alp", "red"),
    "bowl-1": ("Heavy ceramic bowl with a rubber ring for dry or wet dog food", "Alp", "white"),
    "bowl-2": ("Food bowl for a dog", "Nord", "white"),
}

SYNONYMS = (
    (("sneakers", "trainers"), None),
    (("umbrella", "brolly"), None),
    (("scarf", "muffler"), None),
    (("sofa",), "davenport"),
    (("guitar",), "axe"),
    (("television",), "tube"),
    (("mobile phone",), "brick"),
    (("rain jacket",), "mac"),
)


@dataclass(frozen=True)
class Case:
    feature: str
    query: str
    right: Sequence[str]  # exactly these products come first, in any order
    without: str | None = None  # the query without the feature; None if it is the same text
    options: dict[str, bool] = field(default_factory=dict)  # options that turn the feature off


CASES = (
    Case("phrase", '"carrying strap" mat', ["mat-1"], "carrying strap mat"),
    Case("phrase", '"water bottle" holder', ["holder-1"], "water bottle holder"),
    Case("phrase", '"red wine" glass', ["glass-1"], "red wine glass"),
    Case("phrase", '"dog food" bowl', ["bowl-1"], "dog food bowl"),
    Case("exclusion", "guitar -electric", ["guitar-1", "guitar-2"], "guitar electric"),
    Case("exclusion", 'guitar -"bass guitar"', ["guitar-1", "guitar-2", "guitar-3", "guitar-4"], "guitar bass guitar"),
    Case("exclusion", "chair -plastic", ["chair-1", "chair-3"], "chair plastic"),
    Case("exclusion", "backpack -hiking", ["bag-1"], "backpack hiking"),
    Case("field", 'jacket brand:"The North Face"', ["jacket-1", "jacket-3"], "jacket The North Face"),
    Case("field", "sofa brand:nord", ["sofa-1"], "sofa"),
    Case("field", "shoes color:green", ["shoe-2"], "shoes"),
    Case("field", "lamp -brand:nord", ["lamp-2"], "lamp"),
    Case("synonym", "trainers", ["shoe-4", "shoe-5"]),
    Case("synonym", "brolly", ["umbrella-1"]),
    Case("synonym", "muffler", ["scarf-1"]),
    Case("synonym", "davenport", ["sofa-1", "sofa-2"]),
    Case("synonym", "axe", ["guitar-1", "guitar-2", "guitar-3", "guitar-4", "guitar-5"]),
    Case("synonym", "tube", ["tv-1"]),
    Case("synonym", "brick", ["phone-1"]),
    Case("synonym", "mac", ["jacket-1", "jacket-2"]),
    Case("correction", "guitr", [f"guitar-{n}" for n in range(1, 6)], options={"correct": False}),
    Case("correction", "televison", ["tv-1"], options={"correct": False}),
    Case("correction", "hikking", ["bag-2"], options={"correct": False}),
    Case("correction", "clasical", ["guitar-2"], options={"correct": False}),
)

# the query, the word that it excludes, products that are meant, and products that the word describes but whose titles
# lack the word
LEANS = (
    ("shoes", "sport", ("Leather shoes for weddings", "Ballet flats"), ("Football boots", "Shoes for tennis courts")),
    ("drink", "alcohol", ("Orange juice", "Bottle of mineral water"), ("Bottle of red wine", "Pint of beer")),
    ("animal", "dog", ("Cat", "Rabbit", "Horse"), ("Puppy", "Poodle")),
    ("fruit", "citrus", ("Apple", "Banana", "Strawberry"), ("Lemon", "Orange", "Lime")),
    ("vehicle", "water", ("Car", "Bicycle", "Bus"), ("Boat", "Ship", "Canoe")),
    ("hat", "winter", ("Straw hat", "Sun hat"), ("Snow cap", "Woollen beanie")),
    ("food", "sweet", ("Bread", "Cheese", "Pizza"), ("Cake", "Candy", "Chocolate")),
    ("instrument", "strings", ("Trumpet", "Drum", "Piano"), ("Violin", "Guitar", "Harp")),
)


def run() -> None:
    with site() as measured:
        with measured.database.connect(Role.APP) as conn, conn.begin():
            _load(conn, "main", (Product(sku, title, brand=b, color=c) for sku, (title, b, c) in SHOP.items()))
            for number, (_, _, meant, described) in enumerate(LEANS):
                others = [one for row in LEANS for one in row[2] if row[0] != LEANS[number][0]]
                titles = dict.fromkeys([*meant, *described, *others])
                _load(conn, f"lean{number}", (Product(title, title) for title in titles))
        with encoder(measured), measured.database.connect(Role.APP) as app:
            while measured.left():
                time.sleep(0.2)
            conn = app.execution_options(isolation_level="AUTOCOMMIT")
            without = [_is_right(conn, case, case.without or case.query, case.options) for case in CASES]
            for terms, from_term in SYNONYMS:
                synonyms.add(conn, terms, from_term)
            with_feature = [_is_right(conn, case, case.query, {}) for case in CASES]
            lean = {weight: _lean(conn, weight) for weight in WEIGHTS}
            said = _correction_figure(conn)
    lines = list(feature_lines([case.feature for case in CASES], without, with_feature))
    lines.append(Line("corrections that the result names", said, "all", said.split("/")[0] == said.split("/")[1]))
    for weight, (order, kept) in lean.items():
        lines.append(
            Line(
                f"exclusion of weight {weight:g}: meant above described; meant above others", f"{order:.3f}; {kept:.3f}"
            )
        )
    raw = {
        "cases": [
            {**asdict(case), "without": before, "with": after}
            for case, before, after in zip(CASES, without, with_feature, strict=True)
        ],
        "lean": {str(weight): figures for weight, figures in lean.items()},
    }
    keep("features_query", "Operators of a query, synonyms, corrections and highlights", lines, raw)


def _load(conn: Connection, catalog: str, products: Iterable[Product]) -> None:
    with staging(conn) as stage:
        for product in products:
            stage(product)
    upsert(conn, catalog=catalog, image_root=None)


def _is_right(conn: Connection, case: Case, query: str, options: dict[str, bool]) -> bool:
    found = ranking.search(conn, SearchParams(query=query, k=len(case.right), **options)).rows  # type: ignore[arg-type]
    return {row.sku for row in found} == set(case.right)


def _correction_figure(conn: Connection) -> str:
    cases = [case for case in CASES if case.feature == "correction"]
    named = [ranking.search(conn, SearchParams(query=case.query)).corrected for case in cases]
    marked = [
        conn.scalar(
            text("select count(*) from shop.highlights(:query, shop.product_id(:sku))"), {"query": query, "sku": sku}
        )
        for query, sku in zip(named, (case.right[0] for case in cases), strict=True)
    ]
    return f"{sum(bool(name) and bool(count) for name, count in zip(named, marked, strict=True))}/{len(cases)}"


def _lean(conn: Connection, weight: float) -> tuple[float, float]:
    """Returns two shares. Each is the share of pairs of products in which the product that is meant ranks before the
    other one, by the vectors alone. In the pairs of the first share, the excluded word describes the other product. In
    those of the second share, the other product has nothing to do with the query."""
    order, kept = [], []
    for number, (query, word, meant, described) in enumerate(LEANS):
        inputs = [{"text": query}, *([{"text": word, "weight": -weight}] if weight else [])]
        rows = ranking.search(
            conn,
            SearchParams(inputs=json.dumps(inputs), catalog=f"lean{number}", k=100, keyword_weight=0, title_weight=1),
        ).rows
        place = {row.sku: row.rank for row in rows}
        others = [sku for sku in place if sku not in meant and sku not in described]
        order += [place[one] < place[other] for one in meant for other in described]
        kept += [place[one] < place[other] for one in meant for other in others]
    return sum(order) / len(order), sum(kept) / len(kept)
