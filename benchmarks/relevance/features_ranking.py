"""Measures signals and rules on a made-up shop with known preferences.

Each kind of product has two products whose titles fit the query best. It also has one product for each signal: the shop
prefers this product, and its title fits a little less well. Each rule acts on one query for one kind. Each case has a
right answer. Without a feature, all its cases must be wrong; with the feature, all must be right. The starter model
encodes the titles.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from benchmarks.relevance.suites import feature_lines
from benchmarks.support.report import keep
from benchmarks.support.site import encoder, site
from db.catalog.product import Product
from db.catalog.store import staging, upsert
from db.roles import Role
from db.search import ranking, rules, signals
from db.search.ranking import SearchParams, SearchResult

KINDS = {"mug": "ceramic mug", "kettle": "steel kettle", "lamp": "desk lamp", "tent": "camping tent"}
SIGNALS = ("popularity", "stock", "freshness", "rating", "discount", "margin")
WEIGHT = 4.0
PAGE = 5
Check = Callable[[SearchResult], bool]


@dataclass(frozen=True)
class Case:
    feature: str
    query: str
    is_right: Check
    signals: dict[str, float] | None = None  # the weights that the search sets; None if a rule acts


def run() -> None:
    with site() as measured:
        with measured.database.connect(None) as conn, conn.begin():
            conn.execute(
                text(
                    "create view shop.margin as select product_id, "
                    "price - (attributes ->> 'cost')::numeric as value from shop.product"
                )
            )
            conn.execute(text("grant select on shop.margin to shop_app"))
        with measured.database.connect(Role.APP) as conn, conn.begin():
            with staging(conn) as stage:
                for product in _products():
                    stage(product)
            upsert(conn, catalog="main", image_root=None)
            _use_products(conn)
            signals.add(conn, "margin", "shop.margin")
            signals.refresh(conn)
        with encoder(measured), measured.database.connect(Role.APP) as app:
            while measured.left():
                time.sleep(0.2)
            conn = app.execution_options(isolation_level="AUTOCOMMIT")
            for rule in _rules():
                rules.add(conn, rule)
            cases = list(_cases())
            results = [(_is_right(conn, case, used=False), _is_right(conn, case, used=True)) for case in cases]
    lines = list(feature_lines([case.feature for case in cases], *zip(*results, strict=True)))
    raw = {
        "cases": [
            {"feature": case.feature, "query": case.query, "without": before, "with": after}
            for case, (before, after) in zip(cases, results, strict=True)
        ]
    }
    keep("features_ranking", "Signals and rules", lines, raw)


def _products() -> Iterator[Product]:
    now = datetime.now(UTC)
    for title in KINDS.values():
        for preferred in ("", "second", *SIGNALS):
            yield Product(
                _sku(title, preferred or "first"),
                f"{title} {preferred and 'with ' + _SUFFIX[preferred]}".strip(),
                product_type=title.split()[1],
                brand="Nord" if preferred == "margin" else "Alp",
                condition="refurbished" if preferred in ("", "second") else "new",
                price=Decimal(100),
                compare_at_price=Decimal(200) if preferred == "discount" else None,
                currency="EUR",
                availability="in_stock" if preferred == "stock" else "out_of_stock",
                rating=Decimal(5) if preferred == "rating" else Decimal(2),
                review_count=50,
                published_at=now - timedelta(days=1 if preferred == "freshness" else 900),
                attributes={"cost": 20 if preferred == "margin" else 80},
            )


_SUFFIX = {
    "second": "box",
    "popularity": "spare part",
    "stock": "a handle",
    "freshness": "a lid",
    "rating": "two colours",
    "discount": "a bag",
    "margin": "a label",
}


def _sku(title: str, name: str) -> str:
    return f"{title.split()[1]}-{name}"


def _use_products(conn: Connection) -> None:
    for title in KINDS.values():
        conn.execute(
            text(
                "insert into shop.event (kind, sku, visitor) "
                "select 'purchase', :sku, 'v' || n from generate_series(1, 5) n"
            ),
            {"sku": _sku(title, "popularity")},
        )


def _rules() -> Iterator[rules.NewRule]:
    for kind, title in KINDS.items():
        margin = _sku(title, "margin")
        for feature, condition, action in (
            ("pin", {"query": f"pinned {title}"}, {"pin": margin, "at": 1}),
            ("hide", {"contains": f"new {kind}"}, {"hide": {"condition": "refurbished"}}),
            ("boost", {"query": f"boosted {title}"}, {"boost": {"brand": "Nord"}, "factor": 5}),
            ("bury", {"query": f"buried {title}"}, {"bury": {"condition": "refurbished"}, "factor": 0.1}),
            ("filter", {"query": f"{title} today"}, {"filter": {"availability": "in_stock"}}),
            ("replace", {"query": f"zorb{kind}"}, {"query": title}),
            ("meaning", {"similar": f"{title} for a present", "threshold": 0.95}, {"pin": margin, "at": 1}),
            ("weights", {"query": f"profitable {title}"}, {"signals": {"margin": WEIGHT}}),
            ("redirect", {"query": f"{kind} repair"}, {"redirect": f"https://shop.example/{kind}"}),
            ("banner", {"query": f"{kind} sale"}, {"banner": f"{kind}: 10% off"}),
        ):
            yield rules.NewRule(f"{feature} {kind}", json.dumps(condition), json.dumps(action), status="live")


def _cases() -> Iterator[Case]:
    for signal in SIGNALS:
        for title in KINDS.values():
            words = " ".join(reversed(title.split()))  # a query equal to a title would put that product first
            yield Case(signal, words, _is_first(_sku(title, signal)), {signal: WEIGHT})
    for kind, title in KINDS.items():
        margin = _sku(title, "margin")
        yield Case("pin", f"pinned {title}", _is_first(margin))
        yield Case("hide", f"new {kind}", _has_none(PAGE, condition="refurbished"))
        yield Case("boost", f"boosted {title}", _is_first(margin))
        yield Case("bury", f"buried {title}", _has_none(PAGE, condition="refurbished"))
        yield Case("filter", f"{title} today", _has_only(availability="in_stock"))
        yield Case("replace", f"zorb{kind}", _has_only(product_type=kind))
        yield Case("meaning", f"{title} as a present", _is_first(margin))
        yield Case("weights", f"profitable {title}", _is_first(margin))
        yield Case("redirect", f"{kind} repair", _tells(redirect=f"https://shop.example/{kind}"))
        yield Case("banner", f"{kind} sale", _tells(banner=f"{kind}: 10% off"))


def _is_right(conn: Connection, case: Case, *, used: bool) -> bool:
    weights = json.dumps(case.signals) if used and case.signals else None
    off = None if used else "off"
    return case.is_right(ranking.search(conn, SearchParams(query=case.query, k=PAGE, signals=weights, rules=off)))


def _is_first(sku: str) -> Check:
    return lambda found: found.rows[0].sku == sku


def _has_none(first: int, **values: str) -> Check:
    """Returns a check that none of the first `first` products has one of these values."""
    return lambda found: all(
        _value(row.sku, key) != value for row in found.rows[:first] for key, value in values.items()
    )


def _has_only(**values: str) -> Check:
    return lambda found: (
        found.rows != [] and all(_value(row.sku, key) == value for row in found.rows for key, value in values.items())
    )


def _value(sku: str, field: str) -> Any:
    return {product.sku: getattr(product, field) for product in _products()}[sku]


def _tells(**values: str) -> Check:
    return lambda found: all(getattr(found, key) == value for key, value in values.items())
