"""A filter finds the same products as a second implementation of filters in Python, with and without indexes."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.databases import ROLES, Databases
from tests.support.filter_meaning import matches, value_of
from tests.support.filtering import COLUMNS, Product, Session, compiled, compiled_or_refused, found, insert

TEXTS = (
    "", "a", "A", "b", "bag", "Bag of bags", "10", "80%", "a_b", "a\\b", "\\", "%", "O'Neil", "''", '"q"', "{a,b}",
    "NULL", "null", "$1", "-- x", "/*", "line\nfeed", "é", "É", "straße", "İzmir", "Σίσυφος", "🙂", "x" * 300,
)  # fmt: skip
NUMBERS = (0, 1, 1.0, -1, 1.5, 2, 10, 79.99, 80, 1e15)
TIMES = tuple(datetime(2026, 1, day, 12, tzinfo=UTC) for day in (1, 2, 3, 30))
KEYS = ("heel", "tags", "dim", "0", "a.b", "O'Neil", 'q"', "\\", "%s", "é")
NAMES = (
    *(f"attributes.{key.replace('.', chr(92) + '.')}" for key in KEYS if key != "\\"),
    *(f"attributes.dim.{key}" for key in ("heel", "tags", "0", "dim.heel")),
    "attributes.tags.0", "attributes.none", "attributes.heel.none",
)  # fmt: skip


def some_products(count: int, seed: int = 5) -> list[Product]:
    chance = random.Random(seed)

    def anything(depth: int = 0) -> Any:
        roll = chance.random()
        if roll < 0.15 and depth < 3:
            return [anything(depth + 1) for _ in range(chance.randrange(3))]
        if roll < 0.35 and depth < 3:
            return {key: anything(depth + 1) for key in chance.sample(KEYS, 3)}
        return chance.choice((*NUMBERS, *TEXTS, True, False, None))

    return [
        {
            "sku": f"sku {number}",
            "title": chance.choice(TEXTS) or "title",
            **{name: chance.choice((*TEXTS, None)) for name in ("brand", "product_type", "color", "size")},
            "price": chance.choice((*(Decimal(str(n)) for n in NUMBERS if 0 <= n < 1e9), None)),
            "created_at": chance.choice(TIMES),
            "attributes": {key: anything() for key in chance.sample(KEYS, 6)},
        }
        for number in range(count)
    ]


class Shelf:
    """Holds products and two sessions of the analyst role. Session `by_index` uses indexes. Session `by_row` reads
    every row, and its settings change how PostgreSQL reads string and time literals."""

    def __init__(self, products: list[Product], by_index: Session, by_row: Session) -> None:
        self.products, self.by_index, self.by_row = products, by_index, by_row


@pytest.fixture(scope="module")
def shelf(databases: Databases, template: str) -> Iterator[Shelf]:
    products = some_products(150)
    address = databases.admin_url(str(databases.copy(template).write.database))
    with psycopg.connect(address, autocommit=True) as by_index, psycopg.connect(address, autocommit=True) as by_row:
        insert(by_index, products)
        by_index.execute("vacuum analyze shop.product")
        for conn in (by_index, by_row):
            conn.execute(f"set role {ROLES.analyst}")
        by_index.execute("set enable_seqscan = off")
        for setting in (
            "enable_indexscan = off", "enable_indexonlyscan = off", "enable_bitmapscan = off",
            "standard_conforming_strings = off", "escape_string_warning = off", "timezone = 'Asia/Tokyo'",
            "datestyle = 'SQL, DMY'",
        ):  # fmt: skip
            by_row.execute(f"set {setting}")
        yield Shelf(products, by_index, by_row)


# Hypothesis draws random filters from the following strategies.

texts = st.sampled_from(TEXTS)
scalars = st.sampled_from((*TEXTS, *NUMBERS, True, False))
times = st.builds(
    lambda time, hours, form: (time + timedelta(hours=hours)).strftime(form),
    st.sampled_from(TIMES),
    st.integers(-12, 12),
    st.sampled_from(("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S.5+05:30")),
)


def listed(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    few = st.lists(values | st.none(), max_size=4)
    return few | few.map(lambda items: items * 101)  # more than 100 items are compiled to different SQL


def member(
    names: tuple[str, ...], values: st.SearchStrategy[Any], **others: st.SearchStrategy[Any]
) -> st.SearchStrategy[tuple[str, Any]]:
    """Draws a field name and a condition. Most operands come from `values`. The argument `equal` adds operands for eq
    and ne. The argument `order` has the operands for lt, lte, gt and gte, in place of `values`. The argument `part` has
    the operands for contains, and allows the operators contains and prefix."""
    operands = {
        **dict.fromkeys(("eq", "ne"), values | st.none() | others.get("equal", st.none())),
        **dict.fromkeys(("in", "nin"), listed(values)),
        **dict.fromkeys(("lt", "lte", "gt", "gte"), others.get("order", values)),
        "exists": st.booleans(),
    }
    if "part" in others:
        operands |= {"contains": others["part"], "prefix": texts}
    one = st.sampled_from(sorted(operands)).flatmap(lambda name: st.tuples(st.just(name), operands[name]))
    tests = st.lists(one, min_size=1, max_size=2).map(dict)
    return st.tuples(st.sampled_from(names), st.one_of(tests, tests, tests, values | st.none() | listed(values)))


members = st.one_of(
    member(("sku", "title", "brand", "product_type", "color", "size"), texts, part=texts),
    member(("price",), st.sampled_from(NUMBERS)),
    member(("created_at",), times),
    member(
        NAMES, scalars, order=st.sampled_from((*TEXTS, *NUMBERS)), part=scalars,
        equal=st.lists(scalars | st.none(), max_size=2),
    ),
)  # fmt: skip
objects = st.lists(members, max_size=2).map(dict)
filters = st.recursive(
    objects,
    lambda inner: st.builds(
        lambda fields, joined: {**fields, **dict(joined)},
        objects,
        st.lists(
            st.tuples(st.sampled_from(("and", "or")), st.lists(inner, min_size=1, max_size=3))
            | st.tuples(st.just("not"), inner),
            max_size=2,
        ),
    ),
    max_leaves=6,
)
anything = st.recursive(
    st.none() | scalars | times,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    *COLUMNS,
                    *NAMES,
                    "and",
                    "or",
                    "not",
                    "eq",
                    "ne",
                    "in",
                    "lt",
                    "exists",
                    "contains",
                    "x",
                    "",
                    "attributes.",
                )
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)
shared_rows = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@shared_rows
@given(filters)
def test_random_filters_find_the_same_products_as_python(shelf: Shelf, wanted: dict[str, Any]) -> None:
    condition = compiled(shelf.by_index, wanted)
    assert condition == compiled(shelf.by_row, wanted)  # the compiled SQL does not depend on the session's settings
    expected = sorted(product["sku"] for product in shelf.products if matches(product, wanted))
    assert found(shelf.by_index, condition) == expected, condition
    # The compiler writes the condition as one expression, so a preceding `not` negates the whole condition.
    others = sorted({product["sku"] for product in shelf.products} - set(expected))
    assert found(shelf.by_row, f"coalesce(not {condition}, true)") == others, condition


def single_conditions() -> Iterator[dict[str, Any]]:
    """Yields the filters of four fields and of the attributes in NAMES, with each operator and test value."""
    columns = {"title": TEXTS, "brand": TEXTS, "price": NUMBERS, "created_at": tuple(str(time) for time in TIMES)}
    for name in (*columns, *NAMES):
        ordered = columns.get(name, (*TEXTS, *NUMBERS))
        values = ordered if name in columns else (*ordered, True, False)
        for value in (*values, None):
            yield from ({name: {operator: value}} for operator in ("eq", "ne"))
            yield from ({name: {operator: [value, values[0]]}} for operator in ("in", "nin"))
        yield from ({name: {operator: value}} for operator in ("lt", "lte", "gt", "gte") for value in ordered)
        yield from ({name: {"exists": value}} for value in (True, False))
        if name not in ("price", "created_at"):
            yield from ({name: {"contains": value}} for value in values)
            yield from ({name: {"prefix": value}} for value in TEXTS)
        if name not in columns:
            yield from ({name: {"eq": [value]}} for value in (*values, None))


def test_each_operator_finds_the_same_products_as_python(shelf: Shelf) -> None:
    cases = list(single_conditions())
    assert len(cases) > 5000
    rows = shelf.by_row.execute(
        "select shop.filter_sql(f) from jsonb_array_elements(%s) with ordinality as a(f, n) order by n",
        [json.dumps(cases)],
    ).fetchall()
    for start in range(0, len(cases), 500):
        batch = cases[start : start + 500]
        tests = ", ".join(f"({condition}) is true" for (condition,) in rows[start : start + 500])
        held = dict(shelf.by_row.execute(f"select p.sku, array[{tests}] from shop.product p").fetchall())  # type: ignore[arg-type]
        for product in shelf.products:
            answers = zip(batch, held[product["sku"]], strict=True)
            wrong = [wanted for wanted, answer in answers if answer is not matches(product, wanted)]
            assert not wrong, (product, wrong[:3])


@shared_rows
@given(anything)
@example([])
@example("{}")
def test_any_json_is_compiled_or_refused_with_a_hint(shelf: Shelf, any_json: Any) -> None:
    condition = compiled_or_refused(shelf.by_index, any_json)
    if isinstance(condition, psycopg.Error):
        assert condition.sqlstate in ("22023", "54000")
        assert condition.diag.message_hint
    else:
        assert found(shelf.by_index, condition) == found(shelf.by_row, condition)


def test_a_list_of_10000_items_works_for_a_column_and_for_an_attribute(shelf: Shelf) -> None:
    items = [f"none {n}" for n in range(9_999)]
    for name in ("brand", "attributes.heel"):
        held = next(text for product in shelf.products if isinstance(text := value_of(product, name), str))
        expected = sorted(product["sku"] for product in shelf.products if matches(product, {name: held}))
        assert found(shelf.by_index, compiled(shelf.by_index, {name: [*items, held]})) == expected
