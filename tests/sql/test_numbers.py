"""Public functions refuse a number that is out of range, NaN or infinite. The error names the argument. For arguments
such as image_weight, it says "the weight of a leg" instead. The arguments in OF_NO_RANGE may have any value."""

from typing import TYPE_CHECKING

import psycopg
import pytest

from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop

# Maps each function to the arguments that a call needs besides the wrong number.
CALLS = {
    "add_signal": {"name": "'x'", "view": "'shop.product'"},
    "browse": {},
    "calibrate": {},
    "explain_search": {"query": "'dark'"},
    "facets": {},
    "match_products": {},
    "matches": {"sku": "'s1'"},
    "relevance_floor": {},
    "search": {"query": "'dark'"},
    "similar": {"sku": "'s1'"},
    "suggest": {"prefix": "'d'"},
    "watch": {"name": "'w'", "query": "'dark'"},
    "what_if": {"changes": "'[]'"},
    "zero_shot": {"labels": "array['dark', 'red shoes']"},
}
OF_NO_RANGE = {
    ("upsert_staged", "image_root_id"),  # any number can be a key of shop_private.image_root
    ("effective_price", "price"),  # the function returns one of its arguments, and computes nothing
    ("effective_price", "sale_price"),
}
WRONG = {"integer": ("-1", "2147483647"), "double precision": ("'NaN'", "'Infinity'", "'-Infinity'", "-1000.5")}
ARGUMENTS = """
select p.proname, a.name, format_type(a.type, null),
    pg_get_function_arg_default(p.oid, a.place::integer) is distinct from null
        and pg_get_function_arg_default(p.oid, a.place::integer) not like 'NULL%'
from pg_proc p, unnest(p.proargnames, p.proargtypes::oid[]) with ordinality a (name, type, place)
where p.pronamespace = 'shop'::regnamespace and a.type in ('integer'::regtype, 'smallint'::regtype, 'bigint'::regtype,
    'real'::regtype, 'double precision'::regtype, 'numeric'::regtype)
"""


@pytest.fixture
def stocked(shop: "Shop") -> "Shop":
    shop.add("s1", "s2", "s3")
    shop.encode_all()
    shop.cache("dark", seed=1)
    shop.cache("red shoes", seed=2)
    return shop


def refusal(conn: psycopg.Connection[tuple[object, ...]], function: str, argument: str, value: str) -> str | None:
    """Returns the message with which the function refuses the value, or None if it accepts the value."""
    given = {**CALLS[function], argument: value}
    call = ", ".join(f"{name} => {literal}" for name, literal in given.items())
    try:
        conn.execute(f"select * from shop.{function}({call})")
    except psycopg.Error as error:
        return f"{error.sqlstate} {error.diag.message_primary}"
    return None


def test_public_functions_refuse_wrong_numbers(stocked: "Shop") -> None:
    url = stocked.database.url(Role.APP).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(url, autocommit=True) as conn:
        arguments = conn.execute(ARGUMENTS).fetchall()
        checked = [row for row in arguments if row[:2] not in OF_NO_RANGE]
        assert {function for function, *_ in checked} == set(CALLS)
        wrong = []
        for function, argument, kind, needs_value in checked:
            is_weight = argument.endswith("_weight")  # null is valid: it means the fitted weight
            for value in (*WRONG[kind], *(("null",) if needs_value and not is_weight else ())):
                message = refusal(conn, function, argument, value)
                named = "weight of a leg" if is_weight else argument
                if message is None or not message.startswith("22023") or named not in message:
                    wrong.append((function, argument, value, message))
        assert wrong == []


def test_k_is_also_checked_when_a_later_page_is_requested(stocked: "Shop") -> None:
    url = stocked.database.url(Role.ANALYST).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(url, autocommit=True) as conn:
        [[cursor]] = conn.execute("select cursor from shop.search('dark', k => 1)").fetchall()
        for k in ("0", "-1", "1001", "null"):
            with pytest.raises(psycopg.errors.InvalidParameterValue, match="k is"):
                conn.execute(f"select * from shop.search('dark', k => {k}, after => '{cursor}')")


def test_a_search_without_a_query_and_with_a_wrong_number_is_refused(stocked: "Shop") -> None:
    url = stocked.database.url(Role.ANALYST).set(drivername="postgresql").render_as_string(False)
    with (
        psycopg.connect(url, autocommit=True) as conn,
        pytest.raises(psycopg.errors.InvalidParameterValue, match="k is"),
    ):
        conn.execute("select * from shop.search(null, k => 0)")
