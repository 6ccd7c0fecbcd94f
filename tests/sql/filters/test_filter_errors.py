"""The error for an invalid filter has the place in the filter, the reason and a hint. A filter that is too large is
refused."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.databases import ROLES, Databases
from tests.support.filtering import Session, compiled, found


@pytest.fixture(scope="module")
def analyst(databases: Databases, template: str) -> Iterator[Session]:
    database = databases.copy(template)
    with psycopg.connect(databases.admin_url(str(database.write.database)), autocommit=True) as conn:
        conn.execute("insert into shop.product (product_id, sku, title) values (shop.product_id('a'), 'a', 'a')")
        conn.execute(f"set role {ROLES.analyst}")
        yield conn


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        ([], "filter takes an object, not an empty list", '{"price": {"lt": 80}'),
        ("price < 80", 'filter takes an object, not the text "price < 80"', '{"price": {"lt": 80}'),
        ({"colour": "red"}, 'filter has no field "colour"; did you mean "color"?', "Fields are sku, title,"),
        ({"catalog": "main"}, 'filter has no field "catalog"', "attributes.<key>"),
        ({"or": [{"titel": "a"}]}, 'filter or[0] has no field "titel"; did you mean "title"?', "Fields are"),
        ({"not": {"and": [{}, 5]}}, "filter not.and[1] takes an object, not the number 5", "Write"),
        ({"and": {"price": 5}}, "filter and takes a list of at least one object, not an object", '{"and": [{...}'),
        ({"price": {}}, "filter price has no operator", '{"eq": ...}'),
        ({"price": {"contains": "5"}}, "filter price.contains: this field has no such operator", "eq, ne, in, nin, lt"),
        ({"attributes.dim": {"width": 3}}, "filter attributes.dim.width: this field has", "attributes.dim.<key>"),
        ({"price": {"lt": "80"}}, 'filter price.lt takes a number, not the text "80"', "Drop the quotes: 80."),
        ({"price": ["NaN"]}, 'filter price[0] takes a number, not the text "NaN"', "80 or 79.95"),
        ({"price": {"in": [1, True]}}, "filter price.in[1] takes a number, not true", "80 or 79.95"),
        ({"price": {"lt": None}}, "filter price.lt takes a number, not null", '{"exists": false}'),
        ({"brand": True}, "filter brand takes a text, not true", "bags"),
        ({"brand": {"prefix": 5}}, "filter brand.prefix takes a text, not the number 5", '"5"'),
        ({"brand": {"eq": ["a"]}}, "filter brand.eq takes a text, not a list", "in and nin"),
        ({"brand": {"exists": "yes"}}, 'filter brand.exists takes true or false, not the text "yes"', "true"),
        ({"updated_at": {"gt": "yesterday"}}, 'filter updated_at.gt takes a time, not the text "yesterday"', "2026"),
        ({"updated_at": "infinity"}, 'filter updated_at takes a time, not the text "infinity"', "UTC"),
        ({"updated_at": "2026-02-30"}, 'filter updated_at takes a time, not the text "2026-02-30"', "UTC"),
        ({"updated_at": "31/01/2026"}, 'filter updated_at takes a time, not the text "31/01/2026"', "UTC"),
        ({"attributes.a": {"lt": True}}, "filter attributes.a.lt takes a number or a text, not true", "eq"),
        ({"attributes.a": {"eq": {"b": 1}}}, "filter attributes.a.eq takes a text, a number, ", "<key>.<key>"),
        ({"attributes.a": [["b"]]}, "filter attributes.a[0] takes a text, a number, true or false, not", "in and"),
        ({"attributes": 5}, 'filter has no field "attributes"', "attributes.<key>"),
        ({"attributes.": 5}, "filter attributes. names no attribute", "attributes.<key>"),
        ({"attributes.a..b": 5}, "filter attributes.a..b names no attribute", "attributes.<key>"),
    ],
)  # fmt: skip
def test_the_error_for_an_invalid_filter_has_the_place_the_reason_and_a_hint(
    analyst: Session, wanted: Any, message: str, hint: str
) -> None:
    with pytest.raises(psycopg.Error) as refused:
        compiled(analyst, wanted)
    assert refused.value.sqlstate == "22023"
    assert str(refused.value.diag.message_primary).startswith(message)
    assert hint in str(refused.value.diag.message_hint)


def nested(depth: int, innermost: Any) -> Any:
    for level in range(depth):
        innermost = {"not": innermost} if level % 2 else {"or": [innermost]}
    return innermost


@pytest.mark.parametrize(
    ("most", "too_much"),
    [
        (nested(20, {"brand": "a"}), nested(21, {"brand": "a"})),
        ({"or": [{"brand": "a"}] * 1000}, {"or": [{"brand": "a"}] * 1001}),
        ({"and": [{}] * 999, "size": "1"}, {"and": [{}] * 1000, "size": "1"}),
        ({"sku": [f"sku {n}" for n in range(10_000)]}, {"sku": [f"sku {n}" for n in range(10_001)]}),
        ({"attributes.a": {"eq": [1] * 10_000}}, {"attributes.a": {"eq": [1] * 10_001}}),
        ({"title": {"contains": "%" * 10_000}}, {"title": {"contains": "%" * 10_001}}),
        ({"price": {"lt": 10**99}}, {"price": {"lt": 10**100}}),
        ({"attributes.a": 10**99}, {"attributes.a": 10**100}),
        ({"or": [{"brand": "x" * 10_000}] * 100}, {"or": [{"brand": "x" * 10_000}] * 105}),
    ],
    ids=["depth", "conditions", "empty conditions", "items", "items of eq", "characters", "price", "digits", "bytes"],
)
def test_a_filter_at_the_limit_works_and_a_larger_filter_is_rejected(
    analyst: Session, most: Any, too_much: Any
) -> None:
    found(analyst, compiled(analyst, most))
    with pytest.raises(psycopg.errors.ProgramLimitExceeded) as refused:
        compiled(analyst, too_much)
    assert refused.value.diag.message_hint


@pytest.mark.parametrize(
    "bomb",
    [
        '{"not": ' * 1000 + "{}" + "}" * 1000,
        '{"attributes.a": {"eq": ' + "[" * 1000 + "]" * 1000 + "}}",
        '{"price": {"in": [' + ", ".join(["1e131000"] * 10_000) + "]}}",
        '{"price": 1e-16000}',
        '{"attributes.a": {"eq": [' + ", ".join(["1e131000"] * 10_000) + "]}}",
        '{"attributes.' + ".".join("a" * 21) + '": 1}',
        '{"attributes.' + "a" * 1000 + '": 1}',
        "{" + ", ".join(f'"attributes.{n}": {{"contains": "a"}}' for n in range(20_000)) + "}",
    ],
)
def test_a_filter_that_would_compile_to_a_huge_condition_is_rejected(analyst: Session, bomb: str) -> None:
    with pytest.raises(psycopg.Error) as refused:
        analyst.execute("select shop.filter_sql(%s)", [bomb])
    assert refused.value.sqlstate in ("22023", "54000")


@pytest.mark.parametrize("nothing", [None, "null", "{}"])
def test_an_empty_filter_matches_every_product(analyst: Session, nothing: str | None) -> None:
    assert analyst.execute("select shop_private.filter_condition(%s)", [nothing]).fetchone() == ("true",)
