"""A product that a rule of the shop always hides is nowhere on the page."""

import re

import pytest
from sqlalchemy import text

from db.engine import Database
from tests.support.web_service import Serve
from tests.web.page.reading import HTMX, count, titles

ADD = text(
    "insert into shop.rule (name, condition, action, status) values "
    "(:name, cast(:condition as jsonb), cast(:action as jsonb), 'live')"
)
ALWAYS = '{"always": true}'


@pytest.fixture
def recalled(own_database: Database) -> Database:
    """Returns a shop that hides sku 1, and everything red, from every visitor. A search for bag also hides sku 4. The
    products sku 1 to 5 are variants of one product."""
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("update shop.product set item_group_id = 'g' where substr(sku, 5)::int <= 5"))
        conn.execute(text("update shop.product set title = 'zither ' || sku where sku in ('sku 1', 'sku 2')"))
        for name, action in (("one", '{"hide": "sku 1"}'), ("red", '{"hide": {"color": "red"}}')):
            conn.execute(ADD, {"name": name, "condition": ALWAYS, "action": action})
        conn.execute(ADD, {"name": "other", "condition": '{"query": "bag"}', "action": '{"hide": "sku 4"}'})
    return own_database


def test_what_is_always_hidden_is_absent_from_lists_and_searches_and_counts(serve: Serve, recalled: Database) -> None:
    with serve(recalled) as client:
        start = client.get("/").text
        # 39 of the 60 products are not hidden: all but 20 red ones and sku 1. sku 2, 4 and 5 share a card.
        assert count(start) == "37 products <span>· 39 variants</span>"
        assert '<input id="color' in start and ">red</span>" not in start
        for address in ("/?shown=240", "/?like=sku%201&cut=none&shown=240", "/?like=sku%204&cut=none&shown=240"):
            found = titles(client.get(address).text)
            assert len(found) >= 36, address
            assert not any(title.startswith("red ") or title.endswith("sku 1") for title in found)
        page = client.get("/?q=zither").text
        assert titles(page) == ["zither sku 2"]
        assert ">red</span>" not in page


def test_a_hidden_product_has_no_view_and_is_not_listed_as_variant_or_suggestion(
    serve: Serve, recalled: Database
) -> None:
    with serve(recalled) as client:
        for path in ("/product", "/variants"):
            for sku in ("sku 1", "sku 3"):  # sku 3 is red
                assert client.get(path, params={"sku": sku}).status_code == 404
        view = client.get("/product?sku=sku%204")
        assert view.status_code == 200
        variants = re.findall(r'href="/product\?sku=sku%20(\d)" hx-boost="false"( aria-current="true")?>', view.text)
        assert variants[0] == ("4", ' aria-current="true"')
        assert {sku for sku, _ in variants} == {"2", "4", "5"}
        assert not re.search(r"sku%20[136]\b", view.text)
        options = client.get("/suggestions?q=zith", headers=HTMX).text
        assert "zither sku 2" in options and "zither sku 1" not in options
        listed = re.findall(r"sku=sku%20(\d+)<", client.get("/sitemap/1/0").text)
        assert len(listed) == 39 and "4" in listed and "1" not in listed and "3" not in listed


def test_a_rule_that_has_ended_or_is_too_large_hides_nothing(serve: Serve, own_database: Database) -> None:
    large = '{"hide": {"or": [' + ", ".join(f'{{"size": "{n}"}}' for n in range(999)) + "]}}"
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(ADD, {"name": "one", "condition": ALWAYS, "action": '{"hide": "sku 1"}'})
        conn.execute(
            text("update shop.rule set valid_to = now() - interval '1 second', valid_from = now() - interval '1 day'")
        )
        conn.execute(ADD, {"name": "large", "condition": ALWAYS, "action": large})
    with serve(own_database) as client:
        assert count(client.get("/").text) == "60 products"
        assert client.get("/product?sku=sku%201").status_code == 200
