"""The browser loads similar products as a part of the view. When they arrive, it shows no message and does not move the
focus."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import text

from db.engine import Database
from tests.support.web_service import Serve
from tests.web.page.test_accessibility import violations

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_similar_products_load_on_scrolling_and_are_a_link_without_javascript(
    serve: Serve, visit: Callable[..., "Page"]
) -> None:
    with serve() as client:
        address = f"{client.base_url}/product?sku=sku%204"
        page = visit(address, height=600)
        assert page.locator(".grid").count() == 0
        page.locator("#similar").scroll_into_view_if_needed()
        page.locator(".product .grid > li:nth-child(4)").wait_for()
        page.wait_for_timeout(200)  # until htmx has settled the new part
        assert page.evaluate("document.activeElement === document.body")
        assert page.locator("#notice").inner_text() == ""
        assert page.url == address
        assert violations(page) == []
        plain = visit(address, java_script_enabled=False)
        plain.get_by_role("link", name="Similar products").click()
        plain.wait_for_url(re.compile(r"\?like=sku%204"))


def test_similar_products_are_empty_without_an_encoded_image_and_other_faults_are_errors(
    serve: Serve, own_database: Database
) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("delete from shop.toy_image where product_id = shop.product_id('sku 4', 'main')"))
    with serve(own_database) as client:
        assert "product?sku" in client.get("/similar?sku=sku%205").text
        without = client.get("/similar?sku=sku%204")
        assert (without.status_code, "product?sku" in without.text) == (200, False)
        with own_database.connect(None) as conn, conn.begin():
            conn.execute(
                text(
                    "do $$ begin execute replace(pg_get_functiondef('shop.similar'::regproc), 'if sku is null then', "
                    "'raise undefined_object; if sku is null then'); end $$"
                )
            )
        assert client.get("/similar?sku=sku%204").status_code == 200
        assert client.get("/similar?sku=sku%205").status_code >= 400
