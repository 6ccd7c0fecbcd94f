"""An invalid address gives results or an error page. The page escapes markup from a feed, and keeps the catalog that
its address names."""

from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db.catalog.product import Image as ProductImage
from db.catalog.product import Product
from db.catalog.store import staging, upsert
from db.engine import Database
from db.roles import Role
from tests.support.web_service import PRODUCTS, Serve, cache
from tests.web.page.reading import HTMX, count, titles

INVALID = [
    {"price_min": "abc"},
    {"price_min": "NaN"},
    {"price_min": "-5"},
    {"price_min": "1e999"},
    {"price_min": "90", "price_max": "10"},
    {"q": "x" * 10_001},
    {"q": "\0"},
    {"q": " "},
    {"q": "👩‍👩‍👧 \u202e \ud7ff"},
    {"q": "'; drop table shop.product; --"},
    {"q": "bag", "after": "garbage"},
    {"after": "garbage"},
    {"after": "x" * 300},
    {"sort": "cheapest"},
    {"sort": "price_asc", "after": "garbage"},
    {"sort": "price_asc", "after": "00000000-0000-0000-0000-000000000000"},
    {"q": "bag", "sort": "price_asc"},
    {"like": "no such product"},
    {"unlike": "sku 1"},
    {"like": "sku 1", "unlike": "sku 1"},
    {"like": [f"sku {n}" for n in range(1, 40)]},
    {"picture": "../../etc/passwd"},
    {"picture": "x" * 100},
    {"catalog": "nowhere"},
    {"catalog": "x" * 64},
    {"color": [f"c{n}" for n in range(1, 1200)]},
    {"color": "'\"<>&"},
    {"nonsense": "1", "q[]": "2"},
]


@pytest.mark.parametrize("parameters", INVALID, ids=lambda parameters: next(iter(parameters)))
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "part"])
def test_an_invalid_address_gives_results_or_an_error_page_with_the_request_id(
    client: httpx.Client, parameters: dict[str, Any], headers: dict[str, str]
) -> None:
    page = client.get("/", params=parameters, headers=headers)
    assert page.status_code in (200, 404, 409, 422), page.text
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    if page.status_code != 200:
        assert page.headers["x-request-id"] in page.text
        assert "Begin again" in page.text


def test_an_address_with_1199_values_gives_a_page_of_bounded_size(client: httpx.Client) -> None:
    page = client.get("/", params={"color": [f"c{n}" for n in range(1, 1200)]})
    assert ">c20<" in page.text.replace(" ", "").replace("\n", "")
    assert "1,179 more" in page.text
    assert len(page.content) < 4_000_000  # each link of the page contains 18 kB of colors


@pytest.mark.parametrize(
    "parameters", [{"q": "鞄" * 3000}, {"brand": [f"b{n}" for n in range(3000)]}], ids=["q", "brand"]
)
def test_more_than_20000_bytes_of_parameters_give_a_short_error_page(
    client: httpx.Client, parameters: dict[str, Any]
) -> None:
    page = client.get("/", params=parameters)
    assert page.status_code == 400 and "Check the address" in page.text
    assert len(page.content) < 1_000_000


@pytest.mark.parametrize("query", ["q=%ff%fe", "q=%ed%a0%80", "q=%00", "&&&==&", "q=bag&q=shoes", "%00=1", "q"])
def test_an_address_with_an_odd_query_string_gives_a_page(client: httpx.Client, query: str) -> None:
    assert client.get(f"/?{query}").status_code == 200


def test_an_unreadable_price_is_ignored_with_a_remark(client: httpx.Client) -> None:
    page = client.get("/", params={"q": "bag", "price_max": "cheap"}).text
    assert "“cheap” is not a price." in page
    assert len(titles(page)) == 24


def _allow_any_link(database: Database) -> None:
    """Drop the constraint on links, because the page must not depend on the constraint."""
    with database.connect(None) as conn, conn.begin():
        conn.execute(text("alter table shop.product drop constraint product_address_check"))


def test_markup_in_the_catalog_is_escaped(serve: Serve, own_database: Database) -> None:
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
    product = Product(
        hostile[:60],
        hostile,
        brand=hostile,
        product_type=hostile,
        color=hostile,
        price=Decimal(1),
        currency="EUR",
        link="javascript:alert(3)",
        images=(ProductImage("https://pictures.example/\"onload='alert(4)'.png"),),
    )
    _allow_any_link(own_database)
    with own_database.connect(Role.APP) as conn, conn.begin():
        with staging(conn) as stage:
            stage(product)
        upsert(conn)
    with own_database.connect(None) as conn, conn.begin():
        vector = str([1 / 24**0.5] * 24)
        conn.execute(
            text("insert into shop.toy_image (product_id, position, source, embedding) "
                 "values (shop.product_id(:sku, 'main'), 0, 's', cast(:v as halfvec))"),
            {"sku": hostile[:60], "v": vector},
        )  # fmt: skip
        cache(conn, b"t", hostile.encode(), hostile, 5)
    with serve(own_database) as client:
        for parameters in (
            {"color": hostile},
            {"q": hostile, "color": hostile},
            {"like": hostile[:60]},
            {"q": hostile},
        ):
            for headers in ({}, HTMX):
                answer = client.get("/", params=parameters, headers=headers)
                assert answer.status_code == 200
                assert "&lt;script&gt;" in answer.text
                assert "<script>" not in answer.text
                assert "<img src=x" not in answer.text
                assert "javascript:" not in answer.text
                assert "\"onload='" not in answer.text


def test_only_safe_web_addresses_of_a_feed_become_links_and_images(serve: Serve, own_database: Database) -> None:
    feed = {
        "sku 1": ("javascript:alert(1)", "http://pictures.example/a.png"),
        "sku 2": ("https://shop.example/b", "https://pictures.example/b.png"),
    }
    change = "update shop.product set link = :link where sku = :sku"
    change_image = (
        "update shop.product_image set uri = :uri, image_root_id = null "
        "where product_id = shop.product_id(:sku, 'main')"
    )
    _allow_any_link(own_database)
    with own_database.connect(None) as conn, conn.begin():
        for sku, (link, uri) in feed.items():
            conn.execute(text(change), {"link": link, "sku": sku})
            conn.execute(text(change_image), {"uri": uri, "sku": sku})
    with serve(own_database) as client:
        page = client.get("/?price_max=3").text
        assert titles(page) and len(titles(page)) == 2
        first, second = (client.get("/product", params={"sku": sku}).text for sku in feed)
    assert 'href="https://shop.example/b" rel="noopener"' in second
    for shown in (page, second):
        assert '<img src="https://pictures.example/b.png"' in shown
    for shown in (page, first):
        assert "javascript:" not in shown
        assert "http://pictures.example" not in shown  # the content security policy forbids plain HTTP


def test_a_catalog_other_than_main_is_kept_in_the_form_of_the_page(serve: Serve, own_database: Database) -> None:
    with own_database.connect(Role.APP) as conn, conn.begin():
        with staging(conn) as stage:
            stage(Product("other 1", "a thing elsewhere"))
        upsert(conn, catalog="other")
    with serve(own_database) as client:
        page = client.get("/?catalog=other").text
        assert count(page) == "1 product"  # the page also counts products that are not encoded
        assert 'name="catalog" value="other"' in page
        assert count(client.get("/").text) == f"{PRODUCTS} products"
        assert 'name="catalog"' not in client.get("/").text


def test_without_the_catalog_main_the_page_shows_the_first_catalog_by_name(
    serve: Serve, own_database: Database
) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("delete from shop.product"))
        conn.execute(text("delete from shop.catalog"))
        conn.execute(text("insert into shop.catalog (catalog) values ('sample'), ('zoo')"))
    with serve(own_database) as client:
        page = client.get("/?price_max=3").text
        assert 'name="catalog" value="sample"' in page
