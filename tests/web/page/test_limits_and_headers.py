"""The page limits the rate of requests, is small when compressed, needs no key, and sends strict headers."""

import re
from html import unescape

import httpx
import pytest
from sqlalchemy import text

from db.engine import Database
from tests.support.web_service import Serve
from tests.web.page.reading import HTMX, keep, links, png
from web.page.routes import ROUTES


def test_a_browser_over_the_rate_limit_gets_a_page_and_a_program_gets_a_problem(serve: Serve) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml"}
    with serve(rate_per_address=1) as client:
        assert client.get("/", headers=browser).status_code == 200
        refused = client.get("/?q=bag&color=red", headers=browser)
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "text/html; charset=utf-8"
        assert 'value="bag"' in refused.text
        assert links(refused.text, "Try again")[:1] == ["/?q=bag&color=red"]
        assert "These were too many searches in a short time." in refused.text
        assert refused.headers["content-security-policy"].startswith("default-src 'self'")
        assert client.get("/").headers["content-type"] == "application/problem+json"


def test_error_pages_below_a_path_prefix_have_addresses_with_the_prefix(serve: Serve, own_database: Database) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml"}
    with serve(own_database, root_path="/shop") as client:
        name = keep(client, png("green"))
        with own_database.connect(None) as conn, conn.begin():
            conn.execute(text("update shop.model set status = 'retired'"))
        for start in ("/shop", ""):  # the proxy passes the prefix on, or removes it
            refused = client.get(f"{start}/?picture={name}&color=red", headers=browser)
            assert refused.status_code == 503
            assert refused.headers["content-type"] == "text/html; charset=utf-8"
            assert links(refused.text, "Try again")[:1] == [f"/shop/?picture={name}&color=red"]
            assert 'href="/static' not in refused.text and 'action="/shop/"' in refused.text
    with serve(root_path="/shop", rate_per_address=1) as client:  # the rate limit refuses a request before its route
        client.get("/shop/", headers=browser)
        refused = client.get("/shop/?q=bag", headers=browser)
        assert refused.status_code == 429
        assert links(refused.text, "Try again")[:1] == ["/shop/?q=bag"]


def test_a_foreign_host_name_gets_a_page_without_words_for_operators(serve: Serve) -> None:
    with serve(allowed_hosts=["shop.example"]) as client:
        refused = client.get("/?q=bag", headers={"Accept": "text/html", "Host": "other.example"})
    assert refused.status_code == 400
    assert refused.headers["content-type"] == "text/html; charset=utf-8"
    assert "This address cannot be opened." in refused.text
    assert "WINDOWSHOP" not in refused.text


def test_an_address_without_a_route_is_a_page_for_browsers_and_a_problem_otherwise(serve: Serve) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    with serve() as client:
        page = client.get("/lamps/old-address", headers=browser | {"Accept-Language": "de"})
        assert page.status_code == 404
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "Hier ist nichts." in page.text and links(page.text, "Neu beginnen") == ["/"]
        assert page.headers["windowshop-page"] == "1" and "default-src" in page.headers["content-security-policy"]
        for address, headers in (("/lamps", {}), ("/v1/lamps", browser), ("/favicon.ico", {"Accept": "image/*"})):
            assert client.get(address, headers=headers).headers["content-type"] == "application/problem+json"
    with serve(public_page=False) as client:
        assert client.get("/lamps", headers=browser).headers["content-type"] == "application/problem+json"


def test_an_image_on_the_page_counts_less_than_a_search_in_the_rate_limit(serve: Serve) -> None:
    """If each image counted as much as a search, the images of one page would exceed a limit of 10 a minute."""
    with serve(rate_per_address=10) as client:
        images = re.findall(r'<img src="(/images/[^"]+)"', client.get("/").text)
        assert len(images) > 24
        for address in images * 4:
            assert client.get(unescape(address)).status_code == 200
        assert client.get("/").status_code == 200


def test_the_page_needs_no_api_key_and_the_setting_public_page_turns_the_page_off(serve: Serve) -> None:
    with serve(api_keys="on", public_catalogs=["main"]) as client:
        assert client.get("/").status_code == 200
        assert client.post("/search/text", json={"query": "bag"}).status_code == 401
    with serve(api_keys="on", public_page=False) as client:
        for path in ("/", "/picture/x"):
            assert client.get(path).status_code == 404, path
        assert client.post("/picture").status_code == 404


def test_no_route_of_the_page_needs_a_key_or_is_in_the_api_document() -> None:
    for route in ROUTES:
        assert route.opt.get("scope") is None
        assert route.include_in_schema is False


def test_the_policy_forbids_frames_and_inline_code_and_the_page_has_no_inline_code(client: httpx.Client) -> None:
    for answer in (client.get("/"), client.get("/", params={"like": "nothing"}), client.get("/", headers=HTMX)):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", answer.text)
    assert "&#34;allowEval&#34;:false" in client.get("/").text


@pytest.mark.parametrize("path", ["/", "/?q=bag&cut=none", "/?q=bag&cut=none&lang=ar", "/product?sku=sku%201"])
def test_a_page_is_at_most_12_kb_when_compressed(client: httpx.Client, path: str) -> None:
    with client.stream("GET", path) as answer:
        assert answer.headers["content-encoding"] in ("gzip", "br")
        assert sum(map(len, answer.iter_raw())) <= 12_000


def test_static_files_are_cached_as_immutable_under_an_address_with_their_hash(client: httpx.Client) -> None:
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', client.get("/").text):
        answer = client.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] == "gzip"
        plain = client.get(address, headers={"Accept-Encoding": "identity"})
        assert plain.content == answer.content
        outdated = client.get(re.sub(r"/static/\w+/", "/static/0/", address))
        assert outdated.headers["cache-control"] == "no-store"
    assert client.get("/static/0/VENDORED.md").status_code == 404
    assert client.get("/static/0/..%2fpages.py").status_code == 404
