"""Advises on labels: how many searches imply a label, how long these searches take now, and what the index of the
label would cost. A label is a value of a field, such as the product type "bags", whose products have HNSW indexes of
their own.

The searches come from lines of JSON: the log of the web service, or filters that another program has written.
"""

import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from db.errors import DatabaseError, SettingsError
from db.functions.constants import SEARCH
from db.lifecycle import label_indexes, sizing
from db.search import ranking
from db.search.ranking import SearchParams

MOST_PAIRS = 10_000  # pairs of a field and a value that are counted
MOST_SHARE = 0.9  # of the products; the index of a larger label would hardly be smaller than that of all vectors
MOST_OTHER = 20  # fields other than label_indexes.COLUMNS
MOST_VALUE = 300  # characters of a field and its value
MOST_FIELDS = 20  # fields of one search that are logged
MOST_LIST = 1_000  # values of a list in a filter; a longer list implies nothing
MOST_LINE = 1_000_000  # characters of a line
MEASURED = 12  # values whose searches are timed
QUERIES = 12  # timed searches for each of these values
BUILD_MS = 0.25  # time to copy and index a vector of 512 numbers, measured with 170,000 vectors on two cores
WORTHWHILE = 1.3  # a label pays if the searches take more than this many times the expected time

_CONSTANTS = {constant.name: float(constant.value) for constant in SEARCH}
_UNION = int(_CONSTANTS["label_union"])  # a search reads the indexes of at most this number of values


@dataclass(slots=True)
class Filters:
    """The filters of searches. `values` counts the searches for each pair of a field and a value; the value is JSON."""

    searches: int = 0
    skipped: int = 0  # lines that are too long or no JSON object, or whose `labels` are no object
    values: Counter[tuple[str, str]] = field(default_factory=Counter)
    more: bool = False  # whether further pairs were left out


@dataclass(frozen=True, slots=True)
class Advice:
    """A label that the serving model does not have yet. `ms_now` and `ms_label` are milliseconds of a search by
    image."""

    field: str
    value: Any
    searches: int
    products: int
    share: float  # of all products
    ms_now: float | None  # median of measured searches; None: not measured
    ms_label: float  # estimate from search_settings and from a measured search that finds nothing
    vectors: int
    index_bytes: int
    build_seconds: float

    @property
    def pays(self) -> bool:
        return self.ms_now is not None and self.ms_now > WORTHWHILE * self.ms_label


def implied(asked: Any) -> dict[str, list[Any]]:
    """Return the fields for which a filter accepts only a few values, with these values.

    shop_private.implied_labels does the same for searches, but also reads lists of more than MOST_LIST values. If a
    filter restricts a field twice, the shorter list counts.
    """
    found: dict[str, list[Any]] = {}

    def accept(name: str, values: list[Any]) -> None:
        if len(values) > MOST_LIST:
            return
        distinct = list({json.dumps(value): value for value in values}.values())
        if not distinct or not all(isinstance(value, str | int | float) for value in distinct):
            return
        if len(distinct) <= min(_UNION, len(found.get(name, distinct))):
            found[name] = distinct
        if name == "product_type":
            accept(label_indexes.TOP, [_top(value) for value in distinct])

    for name, test in asked.items() if isinstance(asked, dict) else ():
        if name == "and" and isinstance(test, list):
            for part in test:
                for inner, values in implied(part).items():
                    accept(inner, values)
        elif name in label_indexes.COLUMNS or name.startswith("attributes."):
            lists = [test] if isinstance(test, list) else [[test]]
            if isinstance(test, dict):
                lists = [test["in"] if isinstance(test.get("in"), list) else [], [test["eq"]] if "eq" in test else []]
            for values in lists:
                accept(name, values)
            if name == "product_type" and isinstance(test, dict) and ">" in str(test.get("prefix")):
                accept(label_indexes.TOP, [_top(test["prefix"])])
    return found


def _top(path: Any) -> str | None:
    """Return the part of a path before its first ">", as shop_private.label_top does."""
    return str(path).partition(">")[0].strip(" ").lower() or None


def labels_of(asked: str | None, catalog: str | None) -> dict[str, list[Any]]:
    """Return the fields and values that a search implies: its catalog, and what `implied` returns for its filter
    `asked`. There are at most MOST_FIELDS fields.

    A value is left out if it and the name of its field have more than MOST_VALUE characters together.
    """
    found = {"catalog": [catalog or "main"], **implied(json.loads(asked) if asked else None)}
    short = {name: [value for value in values if _is_short(name, value)] for name, values in found.items()}
    return dict([(name, values) for name, values in short.items() if values][:MOST_FIELDS])


def _is_short(name: str, value: Any) -> bool:
    return len(name) + len(str(value)) <= MOST_VALUE


def read_filters(lines: Iterable[str]) -> Filters:
    """Count the searches in lines of JSON. A line is one of three objects: one with `labels` (a line of the web
    service), one with `filter`, or a filter itself. Other lines of the log of the web service are ignored."""
    filters = Filters()
    for line in lines:
        if not line.strip():
            continue
        try:
            said = json.loads(line) if len(line) <= MOST_LINE else None
        except (ValueError, RecursionError):
            said = None
        if isinstance(said, dict) and "process" in said and "labels" not in said:
            continue
        labels = said.get("labels") if isinstance(said, dict) else None
        if labels is None and isinstance(said, dict):
            labels = implied(said.get("filter", said))
        if not isinstance(labels, dict):
            filters.skipped += 1
            continue
        filters.searches += 1
        for name, value in _pairs(labels):
            pair = (name, json.dumps(value, ensure_ascii=False))
            if pair in filters.values or len(filters.values) < MOST_PAIRS:
                filters.values[pair] += 1
            else:
                filters.more = True
    return filters


def _pairs(labels: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields and values of a search. Values of label_indexes.TOP are left out if the search names product
    types, but none with a ">"."""
    for name, values in labels.items():
        if name == label_indexes.TOP and ">" not in str(labels.get("product_type", ">")):
            continue
        for value in values[:_UNION] if isinstance(values, list) else [values]:
            if isinstance(value, str | int | float) and _is_short(name, value):
                yield name, value


def fields_of(filters: Filters) -> list[str]:
    """Return the fields whose values may become labels: the columns, and the MOST_OTHER other fields by which searches
    filter most often."""
    asked: Counter[str] = Counter()
    for (name, _), searches in filters.values.items():
        asked[name] += searches
    others = [name for name, _ in asked.most_common() if is_other(name)]
    return [*label_indexes.COLUMNS, *others[:MOST_OTHER]]


def is_other(name: str) -> bool:
    try:
        label_indexes.field_sql(name)
    except SettingsError:
        return False
    return name not in label_indexes.COLUMNS


def advise(conn: Connection, model: str, filters: Filters, fields: Sequence[str]) -> list[Advice]:
    """Return advice for those values of `fields` that are no labels of the model yet. A value is left out if fewer than
    label_indexes.least_rows products have it, or more than MOST_SHARE of all products.

    The values with the most searches come first. Of values with equally many searches, the value with the most products
    comes first. The searches for the first MEASURED values are timed with products as queries, so they need no encoder.
    """
    least = label_indexes.least_rows(conn)
    present = label_indexes.labels_of(conn, model)
    images, titles = sizing.catalog_size(conn)
    dimension = conn.scalar(text("select dimension from shop.model where name = :name"), {"name": model})
    asked = [
        (filters.values[name, json.dumps(value, ensure_ascii=False)], products, name, value)
        for name in fields
        for value, products in _frequent(conn, name, least)
        if not label_indexes.is_in(present.get(name, []), value)
    ]
    asked.sort(key=lambda each: each[:2], reverse=True)
    found: list[Advice] = []
    clock = _Clock(conn)
    for searches, products, name, value in asked:
        share = products / max(1, titles)
        if share > MOST_SHARE:
            continue
        rows = round(images * share), products
        found.append(
            Advice(
                field=name,
                value=value,
                searches=searches,
                products=products,
                share=share,
                ms_now=clock.time(name, value) if len(found) < MEASURED else None,
                ms_label=clock.expected(share),
                vectors=sum(rows),
                index_bytes=sizing.suitable(*rows, dimension).index_bytes,
                build_seconds=sum(rows) * BUILD_MS / 1000 * dimension / 512,
            )
        )
    return found


def _frequent(conn: Connection, name: str, least: int) -> list[tuple[Any, int]]:
    """Return the most frequent values that at least `least` products have, at most label_indexes.MOST, each with its
    number of products. Values that are too long for a label are left out."""
    sql = label_indexes.field_sql(name)
    rows = conn.execute(
        text(
            f"select {sql}, count(*) from shop.product p where jsonb_typeof({sql}) in ('string', 'number', 'boolean') "
            "group by 1 having count(*) >= :least order by 2 desc, 1 limit :most"
        ),
        {"least": least, "most": label_indexes.MOST},
    )
    return [(value, products) for value, products in rows if len(str(value)) <= label_indexes.MOST_LETTERS]


class _Clock:
    """Times searches for the nearest images of a few products."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        rows = conn.execute(
            text(
                "select p.catalog, p.sku from shop.image_vector v join shop.product p using (product_id) "
                "where v.position = 0 and v.product_id >= cast(:start as uuid) order by v.product_id limit :most"
            ),
            {"start": f"{random.Random(1).getrandbits(128) >> 1:032x}", "most": QUERIES},
        ).all()
        self._queries = [(row.catalog, json.dumps([{"sku": row.sku}])) for row in rows]
        settings = conn.execute(text("select s.* from shop_private.search_settings() s")).one()
        self._settings = settings
        self._base = self._median({"price": {"lt": 0}})

    def time(self, name: str, value: Any) -> float | None:
        if name == "catalog":
            return self._median({}, value)
        if name == label_indexes.TOP:
            return self._median({"product_type": {"prefix": f"{value} >"}})
        return self._median({name: {"eq": value}})

    def expected(self, share: float) -> float:
        """Return the expected milliseconds of a search with a label.

        This is the time of a search without a result, plus the time to scan the candidates of the index and to compare
        the sample with which the search checks its scan.
        """
        wanted = _CONSTANTS["label_ef_factor"] * self._settings.ef_search * share**0.5
        work = max(_CONSTANTS["default_ef_min"], wanted) * self._settings.hnsw_us_per_candidate
        return float((self._base or 0) + (work + _CONSTANTS["label_sample"] * self._settings.exact_us_per_row) / 1000)

    def _median(self, asked: dict[str, Any], catalog: str | None = None) -> float | None:
        seconds = []
        for own, inputs in self._queries:
            if catalog is not None and own != catalog:
                continue
            params = SearchParams(inputs=inputs, filter=json.dumps(asked) if asked else None, catalog=own)
            try:
                ranking.search(self._conn, params)  # the first run reads the pages
                began = time.perf_counter()
                ranking.search(self._conn, params)
            except DatabaseError:
                self._conn.rollback()
                continue
            seconds.append(time.perf_counter() - began)
        return 1000 * statistics.median(seconds) if seconds else None
