"""Some SQL functions treat most texts by faster rules, so that a load takes less time. The faster rules give the same
results as the general rules."""

import json
import re
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.support.shop import Shop

# These fragments begin, end or interrupt codes, joined words and numbers.
FRAGMENTS = [
    *("a", "T", "b", "shirt", "men", "1", "0", "12", "000", "1234567", "0123456789", "\ue001", "é", "ß"),
    *(" ", "  ", "\t", "\n", "-", "_", "/", ".", ",", "&", "'", "+", '"', "\\", "x", "[", ": "),
]
TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join)
A_FEW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

PARTS = r"""
select regexp_replace(regexp_replace(regexp_replace(cast(:pieces as text),
    '([0-9])([^0-9\ue001 ])', '\1 \2', 'g'), '([^0-9\ue001 ])([0-9])', '\1 \2', 'g'),
    '(^| )0+(?=[1-9][0-9]{6,}( |$))', '\1', 'g')"""

KEYWORDS = """
select setweight(shop_private.with_forms(to_tsvector('english', 'chair 7'), 'english', 'chair', '7'), 'A')
    || setweight(shop_private.with_forms(to_tsvector('english', k.words), 'english', k.words, null), 'B')
    || setweight(case when properties <> '' then shop_private.with_forms(properties, 'english', (
            select string_agg(v #>> '{}', ' ') from jsonb_path_query(said, 'strict $.**') v
            where jsonb_typeof(v) = 'string'), null) else properties end, 'C')
from concat_ws(' ', cast(:brand as text), cast(:color as text)) k(words),
    shop_private.attribute_words(cast(:attributes as jsonb)) said,
    jsonb_to_tsvector('english', said, '["string"]') properties"""


@given(TEXTS)
@example("a1b2c")
@example("00000017 m17 x00012345678")
@A_FEW
def test_words_are_split_between_letters_and_digits_and_long_numbers_lose_leading_zeros(
    shop: "Shop", pieces: str
) -> None:
    assert shop.value("select shop_private.word_parts(:pieces)", pieces=pieces) == shop.value(PARTS, pieces=pieces)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
@example("T", "shirt", "b", "side")
@example("", "black", "T shirt", "x\tT\nshirt")
@A_FEW
def test_the_keywords_of_brand_color_and_attributes_follow_the_general_rules(
    shop: "Shop", brand: str, color: str, first: str, second: str
) -> None:
    attributes = json.dumps({"key_1-a": first, "list": [second, {"T": 1.5, "2b": None}], "last": brand})
    values = {"brand": brand, "color": color, "attributes": attributes}
    written = shop.value(
        "select shop_private.keywords('english', '7', 'chair', :brand, null, :color, null, null, null, null, "
        "cast(:attributes as jsonb))",
        **values,
    )
    assert written == shop.value(KEYWORDS, **values)


@given(st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=12) | st.text("0 -1", max_size=6))
@A_FEW
def test_the_key_of_an_ascii_code_is_its_letters_in_upper_case_and_its_digits(shop: "Shop", code: str) -> None:
    """If the key is a number, it has no leading zeros."""
    key = re.sub("[^A-Z0-9]", "", code.upper())
    expected = key.lstrip("0") or "0" if key.isdecimal() else key or None
    assert shop.value("select shop_private.identifier_key(:code)", code=code) == expected


@given(st.lists(st.sampled_from(["a", "B", ".", "-", ":", "80", "443", "@", "/", "?", "#", "é", " ", "a" * 300])))
@A_FEW
def test_the_host_of_an_image_is_the_same_for_http_and_https(shop: "Shop", rest: list[str]) -> None:
    # The function reads an address with http:// by the general rules. It reads an address with https:// by the faster
    # rules if the host has only lower-case letters, digits, dots and hyphens, and a slash follows the host.
    select = "select shop_private.image_host(null, :uri)"
    assert shop.value(select, uri="https://" + "".join(rest)) == shop.value(select, uri="http://" + "".join(rest))
