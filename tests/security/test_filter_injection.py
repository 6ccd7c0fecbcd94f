"""No payload in a filter injects SQL: the compiler writes the payload as a literal or raises SQLSTATE 22023.

Each test puts every payload at one place of a filter. The tests run as the analyst and as the administrator, who has
all privileges. Each payload is the title, the brand and an attribute of one product. A filter must find the products
that the second implementation of filters in Python (tests/support/filter_meaning.py) finds. A different result would
be an injection.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import psycopg
import pytest

from db.engine import Database
from db.roles import Role
from tests.support.databases import Databases
from tests.support.filter_meaning import matches
from tests.support.filtering import Product, Session, compiled_or_refused, found, insert

PAYLOADS = (
    "'", "''", "''''", "\\", "\\'", "\\\\'", '"', "' --", "%", "_", "\\%", "/* */", "*/ or true /*", "--", "\n", ";",
    "' or '1'='1", "' or 1=1 --", "' or true or '", "') or true --", "')) or true --", "') or ('1'='1", "null", "true",
    "')) is not true) --", "\\' or 1=1 --", "\\\\' or 1=1 --", "\\\n' or true --", "\t' or true --", "\r\n' or true --",
    "\n or true --\n", "-- \n or true", "1 or 1=1", "1; drop table shop.product", "0) or (1=1", "%' or '%'='",
    "%' escape '!' or true --", "'; drop table shop.product; --", "'; delete from shop.product; commit; --",
    "'; update shop.product set price = 0; --", "'); truncate shop.product cascade; commit; --",
    "\\'; drop table shop.product; --", '"; drop table shop.product; --', "$$; drop table shop.product; $$",
    "$a$ or true $a$", "'; do $x$ begin execute 'drop table shop.product'; end $x$; --",
    "'; create role evil superuser; --", "'; set role postgres; --", "'; reset role; --",
    "'; create function public.evil() returns int language sql return 1; --", "'; set search_path = evil; --",
    "'; grant all on shop.product to public; --",
    "'; copy shop.product to program 'id'; --", "'; alter table shop.product disable row level security; --",
    "' union select rolname from pg_authid --", "' and (select count(*) from pg_authid) > 0 --", "'||current_user||'",
    "'; select pg_sleep(60); --", "' || pg_sleep(60) || '", "' or 1/0 = 1 --", "x' and cast(p.title as int) = 1 --",
    "E'\\047 or true --", "\\047 or true --", "\\x27 or true --", "\\u0027 or true --", "U&'\\0027 or true --",
    "%27 or true --", "ʼ or 1=1 --", "＇ or 1=1 --", "¿' or true --", "🙂' or true --", "e\u0301' or true --",  # noqa: RUF001
    "}' or true --", "{a', 'b}", '","x', '\\","x', "}'::text[]) or true --", '{"$gt": ""}', '"}\' or true --', '"]}',
    "p.sku", "p.sku or true", "p.sku is not null", "' or p.sku = p.sku --", "sku", "current_user", "->>", "' -> 'a",
    "%s", "%1$s %L %I", "%%", "{0}", ":name", "$1", "?", "@owner@", "\\1", "\\0", "a.b", "a\\.b", ".", "..", "[0]",
    "$.a ? (@ > 1)", "and", "or", "eq", "attributes.note",
)  # fmt: skip

# Places of a filter where a text is a value. Every payload is a valid value, so the filter compiles.
VALUES: dict[str, Callable[[str], Any]] = {
    "value": lambda payload: {"brand": payload},
    "ne": lambda payload: {"brand": {"ne": payload}},
    "order": lambda payload: {"title": {"lte": payload}},
    "item": lambda payload: {"brand": {"in": ["x", payload]}},
    "nin": lambda payload: {"brand": {"nin": [payload, None]}},
    "contains": lambda payload: {"title": {"contains": payload}},
    "prefix": lambda payload: {"title": {"prefix": payload}},
    "attribute": lambda payload: {"attributes.note": payload},
    "attribute order": lambda payload: {"attributes.note": {"gte": payload}},
    "attribute item": lambda payload: {"attributes.note": {"in": [1, payload]}},
    "one of many": lambda payload: {"attributes.note": {"in": [payload] * 101}},
    "attribute list": lambda payload: {"attributes.tags": {"eq": [payload, "x"]}},
    "attribute contains": lambda payload: {"attributes.tags": {"contains": payload}},
    "attribute part": lambda payload: {"attributes.note": {"contains": payload}},
    "attribute prefix": lambda payload: {"attributes.note": {"prefix": payload}},
    "or": lambda payload: {"or": [{"brand": payload}, {"attributes.note": payload}]},
    "not": lambda payload: {"not": {"not": {"and": [{"brand": {"eq": payload, "exists": True}}]}}},
}

# Places of a filter that take a name, or a value of another type. The compiler refuses the payload, or reads the
# payload as a name.
ELSEWHERE: dict[str, Callable[[str], Any]] = {
    "field": lambda payload: {payload: "x"},
    "field in or": lambda payload: {"or": [{"not": {payload: ["x"]}}]},
    "operator": lambda payload: {"brand": {payload: "x"}},
    "operator of an attribute": lambda payload: {"attributes.note": {payload: "x"}},
    "price": lambda payload: {"price": payload},
    "price item": lambda payload: {"price": {"in": [1, payload]}},
    "time": lambda payload: {"created_at": {"lt": payload}},
    "exists": lambda payload: {"brand": {"exists": payload}},
    "list": lambda payload: {"brand": {"in": payload}},
    "group": lambda payload: {"or": payload},
    "whole filter": lambda payload: payload,
    "key": lambda payload: {f"attributes.{payload}": "x"},
    "escaped key": lambda payload: {f"attributes.{escaped(payload)}": {"in": ["x", "y"]}},
    "inner key": lambda payload: {f"attributes.inner.{escaped(payload)}": {"contains": "X"}},
    "outer key": lambda payload: {f"attributes.{escaped(payload)}.inner": {"exists": True}},
    "ordered key": lambda payload: {"not": {f"attributes.{escaped(payload)}": {"lt": "z", "ne": None}}},
}

# Hashes the functions, relations, roles and products, because an injected statement could change them. The hash of
# pg_class excludes the columns that the server itself changes, such as reltuples.
STATE = """
select (select md5(string_agg(t::text, e'\\n' order by t::text)) from (
        select oid, proname, prosrc, prosqlbody, proowner, proacl, prosecdef, proconfig from pg_proc) t) as functions,
    (select md5(string_agg(t::text, e'\\n' order by t::text)) from (
        select oid, relname, relkind, relowner, relacl, relrowsecurity, relnatts from pg_class) t) as relations,
    (select md5(string_agg(t::text, e'\\n' order by t::text)) from pg_roles t) as roles,
    (select md5(string_agg(t::text, e'\\n' order by t::text)) from pg_auth_members t) as members,
    (select md5(string_agg(t::text, e'\\n' order by t::text)) from shop.product t) as products,
    (select count(*) from shop.product) as count"""

SESSION = """
select session_user, current_user, pg_current_xact_id_if_assigned(), current_setting('search_path'),
    current_setting('standard_conforming_strings'), current_setting('row_security')"""


def escaped(key: str) -> str:
    return key.replace(".", "\\.")


def holding(number: int, payload: str) -> Product:
    return {
        "sku": f"sku {number}", "title": payload, "brand": payload, "product_type": None, "color": None, "size": None,
        "price": number, "created_at": "2026-01-31",
        "attributes": {"note": payload, "tags": [payload, "x"], payload: "x", "inner": {payload: "X marks it"}},
    }  # fmt: skip


PRODUCTS = [holding(number, payload) for number, payload in enumerate(PAYLOADS)]


@pytest.fixture(scope="module")
def database(databases: Databases, template: str) -> Database:
    return databases.copy(template)


@pytest.fixture(scope="module")
def observer(databases: Databases, database: Database) -> Iterator[Session]:
    with psycopg.connect(databases.admin_url(str(database.write.database)), autocommit=True) as conn:
        insert(conn, PRODUCTS)
        yield conn


@pytest.fixture(params=[Role.ANALYST, None], ids=["analyst", "administrator"])
def session(request: pytest.FixtureRequest, database: Database, observer: Session) -> Iterator[Session]:
    """Yields a session of one role. After the test, the fixture checks that the settings of the session have not
    changed. Then it commits, so that an injected change would be visible, and checks that the state of the database has
    not changed."""
    before = observer.execute(STATE).fetchone()
    url = database.url(request.param).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as conn:
        conn.execute("set transaction read write")
        own = conn.execute(SESSION).fetchone()
        yield conn
        assert conn.execute(SESSION).fetchone() == own
    assert observer.execute(STATE).fetchone() == before


@cache  # both roles ask for the same filters
def literal(place: str, payload: str) -> list[str]:
    """Returns the SKUs that the filter finds if the payload is nothing but a text."""
    wanted = {**VALUES, **ELSEWHERE}[place](payload)
    return sorted(product["sku"] for product in PRODUCTS if matches(product, wanted))


def test_the_payloads_and_places_give_more_than_3000_cases() -> None:
    assert len(set(PAYLOADS)) == len(PAYLOADS)
    assert len(PAYLOADS) * (len(VALUES) + len(ELSEWHERE)) > 3000


@pytest.mark.parametrize("place", VALUES)
def test_a_payload_at_the_place_of_a_value_is_compiled_to_a_literal(session: Session, place: str) -> None:
    for payload in PAYLOADS:
        condition = compiled_or_refused(session, VALUES[place](payload))
        assert isinstance(condition, str), (payload, condition)
        assert found(session, condition) == literal(place, payload), (payload, condition)


@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_payload_at_any_other_place_is_compiled_to_a_literal_or_refused(session: Session, place: str) -> None:
    literals = 0
    for payload in PAYLOADS:
        condition = compiled_or_refused(session, ELSEWHERE[place](payload))
        if isinstance(condition, psycopg.Error):
            assert condition.sqlstate == "22023", (payload, condition)
        else:
            literals += 1
            assert found(session, condition) == literal(place, payload), (payload, condition)
    if "key" in place:
        assert literals >= len(PAYLOADS) - 2  # "." and ".." are not names of attributes
    else:
        assert literals <= 2  # only a payload that is the name of a field or an operator compiles
