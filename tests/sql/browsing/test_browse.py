"""Each product that passes the filter is on exactly one page of shop.browse, whether the product is encoded or not. A
page does not scan the whole table, and invalid arguments are refused."""

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, text

from db.catalog.product import Image, Product
from db.errors import StatementRefused
from db.roles import Role
from db.search import ranking
from db.search.ranking import SearchParams

if TYPE_CHECKING:
    from tests.support.shop import Shop


def product(n: int) -> Product:
    color = ("red", "black", "blue")[n % 3]
    return Product(f"p{n}", f"thing {n}", color=color, price=Decimal(n), images=(Image(f"{n}.png"),))


@pytest.fixture
def stocked_shop(shop: "Shop") -> "Shop":
    """Returns a shop with 30 encoded products, ten of each colour, and one product without a vector."""
    shop.load(*(product(n) for n in range(30)))
    shop.encode_all()
    shop.add("not encoded")
    return shop


def browse(conn: Connection, filter_: Any = None, **arguments: Any) -> list[str]:
    return [row.sku for row in ranking.browse(conn, SearchParams(filter=filter_ and json.dumps(filter_), **arguments))]


def test_pages_list_every_product_once(stocked_shop: "Shop") -> None:
    conn = stocked_shop.connect(Role.ANALYST)
    seen: list[str] = []
    after = None
    while page := ranking.browse(conn, SearchParams(k=7, after=after)):
        seen += [row.sku for row in page]
        after = str(page[-1].product_id)
    assert sorted(seen) == sorted(["not encoded", *(f"p{n}" for n in range(30))])
    assert browse(conn, k=31) == seen  # every call returns the same order


def test_browse_returns_only_products_that_match_the_filter_in_one_catalog(stocked_shop: "Shop") -> None:
    stocked_shop.load(product(99), into="other")
    stocked_shop.encode_all()
    conn = stocked_shop.connect(Role.ANALYST)
    assert set(browse(conn, {"color": "red", "price": {"lt": 10}})) == {"p0", "p3", "p6", "p9"}
    assert browse(conn, catalog="other") == ["p99"]
    assert len(browse(conn, k=1000)) == 31


def test_each_row_of_browse_has_the_first_image_of_its_product(stocked_shop: "Shop") -> None:
    [row] = ranking.browse(stocked_shop.connect(Role.ANALYST), SearchParams(filter='{"sku": "p7"}'))
    assert (row.image_uri, row.image_position, row.title) == ("7.png", 0, "thing 7")


def test_sql_in_a_filter_value_of_browse_is_not_executed(stocked_shop: "Shop") -> None:
    conn = stocked_shop.connect(Role.ANALYST)
    for hostile in ("'; drop table shop.product; --", "%s %I $q$", "\\"):
        assert browse(conn, {"color": hostile}) == []
    assert len(browse(conn, k=50)) == 31


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"k": 0}, "k is 0"), ({"k": 1001}, "k is 1001"), ({"filter_": {"prise": 1}}, 'no field "prise"')],
)
def test_invalid_arguments_are_rejected(stocked_shop: "Shop", arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(StatementRefused, match=message):
        browse(stocked_shop.connect(Role.ANALYST), **arguments)


def test_an_unknown_catalog_raises_an_error(stocked_shop: "Shop") -> None:
    with pytest.raises(Exception, match="no catalog"):
        browse(stocked_shop.connect(Role.ANALYST), catalog="nowhere")


def test_a_page_of_a_large_catalog_scans_fewer_than_1000_rows_of_the_table(large: Any) -> None:
    """A page is read through an index. The statistics count only rows of sequential scans of the table."""
    with large.connect(Role.ANALYST) as conn:
        before = conn.scalar(text("select pg_stat_get_xact_tuples_returned('shop.product'::regclass)"))
        assert len(browse(conn, k=24)) == 24
        after = conn.scalar(text("select pg_stat_get_xact_tuples_returned('shop.product'::regclass)"))
    assert after - before < 1000, "a page of 24 products must not scan the table"
