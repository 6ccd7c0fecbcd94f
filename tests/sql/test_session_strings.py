"""Functions give the same answers whether or not the session reads a backslash in a literal as an escape."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg

from db.roles import Role
from tests.support.shop import product

if TYPE_CHECKING:
    from tests.support.shop import Shop

WORDS = "image_weight => 0, title_weight => 0"
CALLS = (
    "select sku, score, corrected_query from shop.search('red shoes')",
    f"select sku, score from shop.search('red shoes -Größe', {WORDS})",
    f'select sku from shop.search(\'brand:"Ærø & Søn" 24/36"\', {WORDS})',
    f"select sku, corrected_query from shop.search('redd shoez', {WORDS})",
    f"select sku from shop.search('sku: AB-12.5', {WORDS})",
    f"select sku from shop.search('靴', {WORDS})",
    "select sku from shop.search('red shoes', sort => E'\"attributes.No\\\\. of straps\" desc, title')",
    'select sku from shop.search(\'red shoes\', filter => E\'{"title": {"contains": "100%_\\\\\\\\"}}\')',
    f"select step, route from shop.explain_search('\"red shoes\" -blue', {WORDS})",
    "select h.* from shop.product p, shop.highlights('red Röd 靴 24', p.product_id) h order by p.sku, h",
    "select text from shop.suggest('rö')",
    "select text from shop.suggest('re')",
    "select sku from shop.browse(sort => ' effective_price desc')",
    "select sku from shop.browse(sort => E'\"attributes.No\\\\. of straps\"')",
    "select * from shop.facets(query => 'red shoes', fields => array[E'attributes.No\\\\. of straps', 'brand'])",
    "select keywords::text from shop.product order by sku",
)
WRITE = """insert into shop.product (product_id, sku, title, brand, description, attributes) values
    (shop.product_id('AB-12.5'), 'AB-12.5', 'Röd sko 靴 24/36" 1,5 l', 'Ærø & Søn', 'see //a.example/a-b x-12',
    '{"No. of straps": 2}')"""


def _fill(shop: "Shop") -> None:
    shop.load(*(product(f"s{n}", f"red shoes {n}", attributes={"No. of straps": n}) for n in range(4)))
    shop.encode_all()
    shop.cache("red shoes")


def test_an_answer_does_not_depend_on_standard_conforming_strings(
    filled_shop: "Callable[[Callable[[Shop], None]], Shop]",
) -> None:
    """Warnings about escapes count as a difference."""
    shop = filled_shop(_fill)
    assert answers(shop, "off") == answers(shop, "on")


def answers(shop: "Shop", setting: str) -> dict[str, tuple[list[tuple[object, ...]], list[str]]]:
    """Returns the rows and messages of each call, in a session that has compiled no function yet."""
    found = {}
    said: list[str] = []
    address = shop.database.url(Role.APP).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as conn:
        conn.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
        conn.execute(f"set standard_conforming_strings = {setting}")
        conn.execute(WRITE)
        for call in CALLS:
            rows = conn.execute(call).fetchall()
            found[call] = (rows, [*said])
            said.clear()
        conn.rollback()
    return found
