"""Odd entries of the browser's storage are skipped, and odd drops get a message. Requests for dropped images have no
cookies, and each catalog has its own list of viewed products."""

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from db.engine import Database
from tests.support.browser import until
from tests.support.web_service import Serve
from tests.web.page.test_accessibility import violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Callable[..., "Page"]
ODD = [
    None, 5, "text", {"address": 5, "title": "x"}, {"address": "//evil.example/product?", "title": "x"},
    {"address": "/logout", "title": "x"}, {"address": "/product?sku=1", "title": 7},
    {"address": "/product?sku=sku%201", "title": "good", "image": 5},
    {"address": "/product?sku=sku%202", "title": "also good", "image": "//evil.example/x.png"},
]  # fmt: skip
DROP = """(given) => {
  const data = new DataTransfer();
  for (const [kind, value] of Object.entries(given)) data.setData(kind, value);
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


@pytest.fixture
def address(serve: Serve) -> Iterator[str]:
    with serve() as client:
        yield str(client.base_url).rstrip("/")


def test_recently_viewed_products_skip_odd_entries_and_can_be_cleared(address: str, visit: Visit) -> None:
    page = visit(address)
    for odd in ('{"a": 1}', "no json", "null"):
        page.evaluate("(odd) => localStorage.setItem('windowshop.seen/', odd)", odd)
        page.reload()
        assert not page.locator("#seen").is_visible()
    page.evaluate("(odd) => localStorage.setItem('windowshop.seen/', odd)", json.dumps(ODD))
    page.evaluate("localStorage.setItem('windowshop.seen/shop/', localStorage.getItem('windowshop.seen/'))")
    page.reload()
    assert page.locator("#seen a").all_inner_texts() == ["good", "also good"]
    assert page.locator("#seen img").count() == 0
    assert violations(page) == []
    clear = page.get_by_role("button", name=re.compile("^Clear all.*Recently viewed$"))
    clear.focus()
    page.keyboard.press("Enter")
    until(page, "document.activeElement.id === 'count'")
    assert not page.locator("#seen").is_visible()
    assert page.evaluate("Object.keys(localStorage)") == ["windowshop.seen/shop/"]
    page.goto(f"{address}/product?sku=sku%201")
    page.goto(address)
    assert page.locator("#seen a").count() == 1


def test_a_catalog_has_its_own_list_of_viewed_products(serve: Serve, own_database: Database, visit: Visit) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("insert into shop.product (product_id, sku, catalog, title) values "
                          "(shop.product_id('a', 'outlet'), 'a', 'outlet', 'zither')"))  # fmt: skip
    with serve(own_database) as client:
        page = visit(f"{client.base_url}/product?sku=a&catalog=outlet")
        page.goto(f"{client.base_url}/")
        assert not page.locator("#seen").is_visible()
        page.goto(f"{client.base_url}/?catalog=outlet")
        assert page.locator("#seen a").all_inner_texts() == ["zither"]


@pytest.mark.parametrize(
    "given",
    [
        {"text/uri-list": "http://"},
        {"text/uri-list": "nothing"},
        {"text/html": '<img src="data:image/png;base64,@@">'},
        {"text/html": '<img src="/static/none.png">', "text/uri-list": "/"},
    ],
)
def test_a_drop_of_an_odd_address_gets_a_message(address: str, visit: Visit, given: dict[str, str]) -> None:
    page = visit(address)
    page.evaluate(DROP, {"text/uri-list": "", **given})
    page.get_by_text(re.compile("This is not an image|cannot be fetched|This cannot be searched for")).wait_for()


def test_the_browser_fetches_only_images_of_the_page_and_without_cookies(address: str, visit: Visit) -> None:
    page = visit(address)
    page.context.add_cookies([{"name": "session", "value": "secret", "url": address}])
    asked: list[Any] = []
    page.on("request", lambda request: asked.append(request))
    page.evaluate(DROP, {"text/uri-list": f"{address}/logout", "text/html": f'<img src="{address}/logout">'})
    page.locator("#notice .banner").wait_for()
    assert [one.url for one in asked if "logout" in one.url] == []
    own = page.locator("#products img").first.get_attribute("src")
    with page.expect_request(
        lambda request: request.url == address + own and request.resource_type == "fetch"
    ) as fetched:
        page.evaluate(DROP, {"text/uri-list": f"{address}{own}"})
    assert "cookie" not in fetched.value.all_headers()


def test_a_product_page_drops_the_query_parameter_named_from(address: str, visit: Visit) -> None:
    page = visit(f"{address}/product?sku=sku%201&from={'0' * 32}.1&lang=de")
    until(page, "!location.search.includes('from')")
    assert page.evaluate("new URLSearchParams(location.search).get('sku')") == "sku 1"
    page.reload()
    assert page.locator("h1").inner_text() == "black shoes number1"
