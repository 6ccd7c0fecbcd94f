"""shop.facets counts the products that have a value of a field, or a number in a range.

The counts of a field ignore the conditions on that field that are not nested in the filter. The column `note` says
whether the count of a row is an estimate.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, text

from db.catalog.product import Image, Product
from db.errors import StatementRefused
from db.lifecycle.deferred_indexes import PRODUCT_INDEXES
from db.roles import Role
from db.search import ranking
from db.search.ranking import SearchParams
from tests.support.databases import Databases

if TYPE_CHECKING:
    from tests.support.shop import Shop


class Facet(NamedTuple):
    field: str
    value: str | None
    low: Decimal | None
    high: Decimal | None
    products: int
    kind: str
    exact: bool
    note: str
    value_json: Any
    currency: str | None
    row_filter: Any


Facets = Callable[..., list[Facet]]
BRANDS = ["Acme", "Größe & Söhne", "黒い猫", "O'Neill", "back\\slash", '100 % "new"', "🎸", "'; drop table x; --", None]
COLORS = ["red", "rouge", "RED", "", None]
TYPES = [f"type {n}" for n in range(30)]


@pytest.fixture
def analyst(shop: "Shop") -> Connection:
    return shop.connect(Role.ANALYST)


@pytest.fixture
def facets(analyst: Connection) -> Facets:
    """Returns a function that calls shop.facets as an analyst."""

    def ask(**arguments: Any) -> list[Facet]:
        values = {k: json.dumps(v, ensure_ascii=False) if k == "filter" else v for k, v in arguments.items()}
        cast = {"filter": "jsonb", "fields": "text[]"}
        named = ", ".join(f"{k} => cast(:{k} as {cast[k]})" if k in cast else f"{k} => :{k}" for k in values)
        return [Facet(*row) for row in analyst.execute(text(f"select * from shop.facets({named})"), values)]

    return ask


def some_products(seed: int, count: int = 300) -> list[Product]:
    chance = random.Random(seed)
    return [
        Product(
            f"sku {n}",
            f"title {n}",
            brand=chance.choice(BRANDS),
            color=chance.choice(COLORS),
            product_type=chance.choice(TYPES),
            price=chance.choice([None, Decimal("9.99"), Decimal("0.5"), Decimal(int(chance.expovariate(1e-4))) / 100]),
            attributes=chance.choice([{}, {"weight": None}, {"weight": round(chance.gauss(0, 5), 2)}]),
            images=(Image(f"{n}.jpg"),),
        )
        for n in range(count)
    ]  # fmt: skip


CONDITIONS: dict[str, list[tuple[Any, Callable[[Any], bool]]]] = {
    "brand": [("O'Neill", lambda v: v == "O'Neill"), (["Acme", "🎸"], lambda v: v in ("Acme", "🎸"))],
    "color": [({"eq": "red"}, lambda v: v == "red")],
    "price": [
        ({"lt": 80}, lambda v: v is not None and v < 80),
        ({"gte": 5, "lt": 30}, lambda v: v is not None and 5 <= v < 30),
    ],
}


def value_of(product: Product, field: str) -> Any:
    if field == "attributes.weight":
        value = product.attributes.get("weight")
        return None if value is None else Decimal(str(value))
    return getattr(product, field)


@pytest.mark.parametrize("seed", range(6))
def test_facet_counts_equal_counts_computed_in_python(shop: "Shop", facets: Facets, seed: int) -> None:
    chance = random.Random(seed)
    products = some_products(seed)
    shop.load(*products)
    shop.encode_all()
    chosen = {field: chance.choice(CONDITIONS[field]) for field in chance.sample(sorted(CONDITIONS), seed % 4)}
    fields = ["brand", "color", "product_type", "price", "attributes.weight"]
    rows = facets(
        filter={f: condition for f, (condition, _) in chosen.items()}, fields=fields, limit_values=7, buckets=5
    )
    assert {row.exact for row in rows} <= {True}
    for field in fields:
        matching = [
            value_of(product, field)
            for product in products
            if all(passes(value_of(product, other)) for other, (_, passes) in chosen.items() if other != field)
        ]
        check_field([row for row in rows if row.field == field], matching, limit=7, buckets=5)


def check_field(rows: list[Facet], values: list[Any], limit: int, buckets: int) -> None:
    assert sum(row.products for row in rows) == len(values)
    assert all(row.products > 0 for row in rows)
    order = ["value", "range", "other", "missing"]
    assert sorted(rows, key=lambda row: order.index(row.kind)) == rows
    by_kind = {kind: [row for row in rows if row.kind == kind] for kind in order}
    assert sum(row.products for row in by_kind["missing"]) == values.count(None)
    present = [value for value in values if value is not None]
    if ranges := by_kind["range"]:
        assert not by_kind["value"] and not by_kind["other"]
        assert 1 <= len(ranges) <= buckets
        assert [row.high for row in ranges[:-1]] == [row.low for row in ranges[1:]]
        for row in ranges:
            assert row.low is not None and row.high is not None
            last = row is ranges[-1]
            inside = [v for v in present if row.low <= v < row.high or (last and v == row.high)]
            assert len(inside) == row.products
    else:
        expected = sorted(Counter(present).items(), key=lambda item: (-item[1], item[0].encode()))
        assert [(row.value, row.products) for row in by_kind["value"]] == expected[:limit]
        assert [row.products for row in by_kind["other"]] == [
            sum(count for _, count in expected[limit:])
        ] * (len(expected) > limit)  # fmt: skip
        assert all(f"more values: {len(expected) - limit};" in row.note for row in by_kind["other"])


def listed(rows: list[Facet], field: str) -> dict[str | None, int]:
    return {row.value: row.products for row in rows if row.field == field}


def colored(shop: "Shop", *pairs: tuple[str, str]) -> None:
    shop.load(
        *(Product(f"{n}", f"{n}", brand=b, color=c, images=(Image("x"),)) for n, (b, c) in enumerate(pairs))
    )  # fmt: skip
    shop.encode_all()


def test_filtering_on_a_value_keeps_the_other_values_of_its_field(shop: "Shop", facets: Facets) -> None:
    colored(shop, ("a", "red"), ("a", "blue"), ("b", "red"), ("c", "green"))
    rows = facets(filter={"brand": "a"}, fields=["brand", "color"])
    assert listed(rows, "brand") == {"a": 2, "b": 1, "c": 1}
    assert listed(rows, "color") == {"red": 1, "blue": 1}
    rows = facets(filter={"brand": "a", "color": "red"}, fields=["color", "brand"])
    assert listed(rows, "brand") == {"a": 1, "b": 1}
    assert listed(rows, "color") == {"red": 1, "blue": 1}
    assert [row.field for row in rows] == ["color", "color", "brand", "brand"]


def test_a_nested_condition_also_applies_to_the_counts_of_its_own_field(shop: "Shop", facets: Facets) -> None:
    colored(shop, ("a", "red"), ("b", "red"), ("c", "green"))
    rows = facets(filter={"or": [{"brand": "a"}, {"brand": "c"}]}, fields=["brand"])
    assert listed(rows, "brand") == {"a": 1, "c": 1}
    assert listed(facets(filter={"not": {"brand": "a"}}, fields=["brand"]), "brand") == {"b": 1, "c": 1}


def test_products_of_the_catalog_are_counted_whether_they_are_encoded_or_not(shop: "Shop", facets: Facets) -> None:
    shop.load(Product("a", "a", brand="x", images=(Image("a"),)))
    shop.load(Product("a", "a", brand="x", images=(Image("a"),)), into="outlet")
    shop.encode_all()
    shop.load(Product("b", "b", brand="x", images=(Image("b"),)), Product("c", "c", brand="x"))
    assert listed(facets(fields=["brand"]), "brand") == {"x": 3}
    assert listed(facets(fields=["brand"], catalog="outlet"), "brand") == {"x": 1}
    with pytest.raises(StatementRefused, match="attic"):
        facets(catalog="attic")


@pytest.mark.parametrize("filter_", [None, {"color": "red"}, {"brand": ["a", None]}, {"not": {"color": "red"}}])
def test_search_and_facets_and_browse_count_the_same_products(
    shop: "Shop", facets: Facets, analyst: Connection, filter_: Any
) -> None:
    colored(shop, ("a", "red"), ("a", "blue"), ("b", "red"))
    shop.load(*(Product(f"x{n}", f"thing {n}", brand="a", color="red") for n in range(4)))  # without images
    shop.load(Product("waiting", "thing", color="blue", images=(Image("waiting"),)))
    shop.cache("thing")
    params = SearchParams(query="thing", filter=filter_ and json.dumps(filter_), k=100)
    browsed = len(ranking.browse(analyst, params))
    found = ranking.search(analyst, params)
    assert (found.total, found.total_is) == (browsed, "exact")
    assert len(found.rows) <= browsed
    assert (
        sum(row.products for row in facets(fields=["currency"], **({"filter": filter_} if filter_ else {}))) == browsed
    )


def test_products_hidden_by_row_level_security_are_not_counted(shop: "Shop", facets: Facets) -> None:
    colored(shop, ("x", "red"), ("y", "red"))
    [protected] = shop.run("select relrowsecurity from pg_class where oid = 'shop.product'::regclass")[0]
    shop.run("alter table shop.product enable row level security")
    shop.run("create policy test_all on shop.product using (true)")
    shop.run("create policy test_some on shop.product as restrictive using (brand <> 'x')")
    try:
        assert listed(facets(fields=["brand"]), "brand") == {"y": 1}
    finally:
        shop.run("drop policy test_all on shop.product")
        shop.run("drop policy test_some on shop.product")
        if not protected:
            shop.run("alter table shop.product disable row level security")


def test_the_query_is_ignored_without_a_cut_and_the_note_of_every_row_says_so(shop: "Shop", facets: Facets) -> None:
    colored(shop, ("a", "red"), ("b", "blue"))
    rows = facets(query="something red")
    assert [row[:6] for row in rows] == [row[:6] for row in facets()]
    assert all("the query is ignored" in row.note for row in rows)
    assert not any("ignored" in row.note for row in facets())


def test_numeric_attributes_are_divided_into_ranges_and_mixed_attributes_into_values(
    shop: "Shop", facets: Facets
) -> None:
    values: list[Any] = [1, 2.5, None, 4, {"a": 1}, ["x"], "2.5", True, "%s", "q'uote\"\\"]
    shop.load(
        *(
            Product(
                f"{n}", f"{n}", attributes={"mixed": v, "number": n, "in": {"a.b": f"{n % 2}"}}, images=(Image("x"),)
            )
            for n, v in enumerate(values)
        ),
    )
    shop.encode_all()
    rows = facets(fields=["attributes.mixed", "attributes.number", r"attributes.in.a\.b", "attributes.ab%s'\""])
    mixed = [(r.value_json, r.products, r.kind) for r in rows if r.field == "attributes.mixed"]
    shown = [v for v in values if v is not None and not isinstance(v, dict)]
    assert sorted(mixed, key=repr) == sorted(
        [*((v, 1, "value") for v in shown), (None, 1, "other"), (None, 1, "missing")], key=repr
    )
    assert {row.kind for row in rows if row.field == "attributes.number"} == {"range"}
    assert listed(rows, r"attributes.in.a\.b") == {"0": 5, "1": 5}
    assert [(r.products, r.kind) for r in rows if r.field == "attributes.ab%s'\""] == [(10, "missing")]


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ({"fields": ["brand", "title"]}, "'title'", r"price, availability, brand.*attributes\.<name>"),
        ({"fields": ["attributes."]}, "'attributes.'", "The fields are: price"),
        ({"fields": ["brand); drop table shop.product; --"]}, "drop table", "The fields are: price"),
        ({"fields": [None]}, "null field", "The fields are: price"),
        ({"fields": []}, "0 fields", "Name 1 to 20"),
        ({"fields": None}, "0 fields", "Name 1 to 20"),
        ({"fields": [f"attributes.{n}" for n in range(21)]}, "21 fields", "Name 1 to 20"),
        ({"limit_values": 0}, "limit_values is 0", "1 to 1000"),
        ({"limit_values": None}, "limit_values is null", "1 to 1000"),
        ({"buckets": 101}, "buckets is 101", "1 to 100"),
    ],
)
def test_the_error_names_the_invalid_argument(
    facets: Facets, arguments: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(StatementRefused, match=message) as refused:
        facets(**arguments)
    assert refused.value.hint
    assert re.search(hint, refused.value.hint)


def test_an_invalid_filter_raises_an_error_even_if_only_one_field_is_counted(facets: Facets) -> None:
    for wrong in ([1], "brand"):
        with pytest.raises(StatementRefused, match="filter"):
            facets(filter=wrong, fields=["brand"])


def test_twenty_fields_are_allowed_and_a_repeated_field_is_counted_once(shop: "Shop", facets: Facets) -> None:
    colored(shop, ("a", "red"))
    assert len(facets(fields=["brand", "brand", *(f"attributes.{n}" for n in range(19))])) == 20


@pytest.fixture(scope="module")
def many_products(databases: Databases, toy_template: tuple[str, Path]) -> Iterator["psycopg.Connection[Any]"]:
    """Yields an analyst's connection to a database of 120,000 products. Some indexes are dropped
    before the products are inserted, and triggers do not run."""
    database = databases.copy(toy_template[0])
    with psycopg.connect(databases.admin_url(str(database.write.database)), autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute("insert into shop.catalog (catalog) values ('main') on conflict do nothing")
        dropped = ", ".join(f"shop.{name}" for name in ("toy_image_hnsw", *PRODUCT_INDEXES))
        conn.execute(f"drop index {dropped}")  # type: ignore[arg-type]
        conn.execute(
            "insert into shop.product (product_id, sku, title, brand, price) "
            "select shop.product_id('s' || n), 's' || n, 't', 'brand ' || (hashint4(n) & 3), "
            "case when n % 10 > 0 then n % 100 end from generate_series(1, 120000) n"
        )
        conn.execute(
            "insert into shop.toy_image (product_id, position, source, embedding) select product_id, 0, 'x', "
            "l2_normalize(array_fill(1, array[24])::halfvec) from shop.product"
        )
        conn.execute("analyze shop.product")
    address = database.url(Role.ANALYST).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True, row_factory=namedtuple_row) as conn:
        yield conn


def test_counts_of_over_100000_matches_are_estimates_with_a_note(many_products: "psycopg.Connection[Any]") -> None:
    rows = many_products.execute("select * from shop.facets(fields => '{brand,price}', buckets => 4)").fetchall()
    assert {row.exact for row in rows} == {False}
    assert all("estimated from 16.7% of" in row.note for row in rows)  # a sample of 20,000 of the 120,000 rows
    brands = {row.value: row.products for row in rows if row.field == "brand"}
    assert set(brands) == {f"brand {n}" for n in range(4)}
    for estimate in brands.values():
        assert 24_000 < estimate < 36_000  # the exact count is 30,000; the sample has about 300 pages of the table
    [missing] = [row.products for row in rows if row.kind == "missing"]
    assert 9_600 < missing < 14_400
    again = many_products.execute("select * from shop.facets(fields => '{brand,price}', buckets => 4)").fetchall()
    assert again == rows


def test_few_matches_in_a_large_catalog_are_counted_exactly(many_products: "psycopg.Connection[Any]") -> None:
    rows = many_products.execute(
        "select * from shop.facets(filter => '{\"brand\": \"brand 1\"}', fields => '{price}')"
    ).fetchall()
    total = many_products.execute("select count(*) from shop.product where brand = 'brand 1'").fetchone()
    assert {row.exact for row in rows} == {True}
    assert total is not None and sum(row.products for row in rows) == total.count
