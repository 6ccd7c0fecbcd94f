"""A card says how many variants it has, and lists exactly these when it is expanded. The view of a product lists this
product before its other variants. The heading above the results counts variants too."""

import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest
from sqlalchemy import text

from db.engine import Database
from tests.support.web_service import Serve
from tests.web.page.reading import HTMX, count
from web.page.products.variants import LISTED, MOST


@pytest.fixture
def grouped(serve: Serve, own_database: Database) -> Iterator[httpx.Client]:
    """Yields a client of a shop in which sku 1 to 30 are variants of one product. They cost 1.50 to 45 EUR."""
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(
            text(
                "update shop.product set item_group_id = 'g', size = substr(sku, 5), title = 'striped bag', "
                "color = null where substr(sku, 5)::int <= 30"
            )
        )
    with serve(own_database) as client:
        yield client


def sizes(answer: str) -> list[str]:
    return re.findall(r"<span>(\d+) <small>", answer)


def listed(page: str) -> str:
    """Returns the HTML of the list of variants."""
    return page.split('<div class="variants">')[1].split("</div>")[0]


def expanded(client: httpx.Client, page: str) -> str:
    [address] = re.findall(r'hx-get="(/variants[^"]*)"', page)
    return client.get(unescape(address), headers=HTMX).text


def test_the_variants_of_a_card_pass_the_filters_of_the_search(grouped: httpx.Client) -> None:
    page = grouped.get("/?q=striped&price_min=31").text
    assert ">10 variants<" in page
    answer = expanded(grouped, page)
    assert sorted(map(int, sizes(answer))) == list(range(21, 31))
    assert "<summary>2 more</summary>" in answer


def test_the_variants_of_a_card_pass_the_cut_of_the_search(grouped: httpx.Client, own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("update shop.product set title = 'dotted bag' where sku in ('sku 1', 'sku 2')"))
    page = grouped.get("/?q=striped").text
    [counted] = re.findall(r">(\d+) variants<", page)
    assert int(counted) < 30
    assert len(sizes(expanded(grouped, page))) == int(counted)


def test_the_view_lists_its_own_product_first_and_all_others_in_order(grouped: httpx.Client) -> None:
    page = listed(grouped.get("/product?sku=sku%2017").text)
    assert sizes(page) == ["17", *(str(n) for n in range(1, 31) if n != 17)]
    first, rest = page.split("<summary>6 more</summary>")
    assert (len(sizes(first)), len(sizes(rest))) == (LISTED, 6)
    assert page.count('aria-current="true"') == 1
    assert page.index('aria-current="true"') < page.index("<span>1 <small>")


def test_a_product_of_a_very_large_group_is_among_its_listed_variants(
    grouped: httpx.Client, own_database: Database
) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(
            text(
                "insert into shop.product (product_id, sku, catalog, title, item_group_id, size) "
                "select shop.product_id('many ' || n, 'main'), 'many ' || n, 'main', 'plain bag', 'many', 'size ' || n "
                "from generate_series(1, 130) n"
            )
        )
    for n in (1, 60, 130):
        page = listed(grouped.get(f"/product?sku=many%20{n}").text)
        assert f'aria-current="true"><span>size {n}</span>' in page
        assert page.count('<a href="/product?sku=many') == MOST
        assert "Only the first 100 variants are listed." in page


def test_the_heading_and_the_filters_count_the_variants(grouped: httpx.Client) -> None:
    page = grouped.get("/?q=striped&cut=none&price_max=45").text
    assert count(page) == "1 product <span>· 30 variants</span>"
    assert re.findall(r"<span>(bags|shoes)</span><small>(\d+)</small>", page) == [("bags", "15"), ("shoes", "15")]
    assert count(grouped.get("/?q=number40").text) == "1 product"


def test_the_heading_of_a_list_with_further_pages_counts_the_cards_of_all_pages(
    grouped: httpx.Client, own_database: Database
) -> None:
    assert count(grouped.get("/").text) == "31 products <span>· 60 variants</span>"
    assert count(grouped.get("/?price_min=15").text) == "31 products <span>· 51 variants</span>"
    assert count(grouped.get("/?q=bag&cut=none").text) == "31 products <span>· 60 variants</span>"


def test_the_requested_product_is_no_variant_if_the_filter_excludes_it(grouped: httpx.Client) -> None:
    assert sizes(grouped.get("/variants?sku=sku%201&price_min=40", headers=HTMX).text) == ["27", "28", "29", "30"]
    assert "1" in sizes(grouped.get("/variants?sku=sku%201", headers=HTMX).text)
