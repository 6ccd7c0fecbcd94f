"""The sitemap that robots.txt names leads search engines to the start page and to every product, and to nothing
else."""

import re
from urllib.parse import urlsplit
from xml.etree import ElementTree

import httpx

from db.catalog.parts import part
from db.engine import Database
from db.roles import Role
from tests.support.web_service import PRODUCTS, SETTINGS, served

LOC = "{http://www.sitemaps.org/schemas/sitemap/0.9}loc"


def locations(client: httpx.Client, path: str) -> list[str]:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/xml")
    return [str(each.text) for each in ElementTree.fromstring(answer.text).iter(LOC)]


def test_the_sitemap_has_the_start_page_and_every_product_once(client: httpx.Client) -> None:
    robots = client.get("/robots.txt")
    assert robots.headers["content-type"].startswith("text/plain")
    named = re.search(r"^Sitemap: (.*)$", robots.text, re.M)
    assert named
    found = [
        each for one in locations(client, urlsplit(named[1]).path) for each in locations(client, urlsplit(one).path)
    ]
    assert len(found) == len(set(found)) == PRODUCTS + 1
    assert found[0] == str(client.base_url).rstrip("/") + "/"
    assert client.get(found[1]).status_code == 200


def test_the_parts_together_have_every_product_once(shop_database: Database) -> None:
    with shop_database.connect(Role.ANALYST) as conn:
        parts = [part(conn, number, 7, None, 100) for number in range(7)]
        assert part(conn, 0, 1, ["other"], 100) == []
        assert len(part(conn, 0, 1, ["main"], 10)) == 10
    skus = [row.sku for rows in parts for row in rows]
    assert len(skus) == len(set(skus)) == PRODUCTS
    assert all(parts)


def test_a_part_that_does_not_exist_is_refused(client: httpx.Client) -> None:
    assert client.get("/sitemap/2/2").status_code == 404
    assert client.get("/sitemap/0/0").status_code in (400, 404, 422)


def test_absolute_addresses_begin_with_the_public_address_not_the_requests_host(
    shop_database: Database,
) -> None:
    settings = SETTINGS.model_copy(update={"public_url": "https://shop.example", "allowed_hosts": ["*"]})
    with served(shop_database, settings) as client:
        product, sitemap, robots = (
            client.get(path, headers={"Host": "elsewhere.example"}).text
            for path in ("/product?sku=sku%201", "/sitemap.xml", "/robots.txt")
        )
    assert '<link rel="canonical" href="https://shop.example/product?sku=sku%201">' in product
    assert '<meta property="og:url" content="https://shop.example/product?sku=sku%201">' in product
    assert "<loc>https://shop.example/sitemap/" in sitemap
    assert "elsewhere.example" not in product + sitemap + robots
