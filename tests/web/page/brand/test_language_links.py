"""A visitor reaches every language of the page by a link, without a script or a cookie, and so do search engines."""

import re
from html import unescape
from urllib.parse import urlsplit
from xml.etree import ElementTree

import httpx
import pytest

from db.engine import Database
from tests.support.web_service import SETTINGS, served
from tests.web.page.reading import HTMX
from web.page.brand.language_links import name_of
from web.page.brand.visit import LANGUAGES

NAMES = {"en": "English", "de": "Deutsch", "fr": "Français", "tr": "Türkçe", "ja": "日本語", "ar": "العربية"}
SWITCH = re.compile(r'<li><a href="([^"]*)" lang="(\w+)" hreflang="\2"( aria-current="true")?[^>]*>([^<]*)</a>')
ALTERNATE = re.compile(r'<link rel="alternate" hreflang="([\w-]+)" href="([^"]*)">')


def switcher(page: str) -> dict[str, tuple[str, str, bool]]:
    """Returns for each language its address, its name and whether it is the current one."""
    return {code: (unescape(href), name, bool(current)) for href, code, current, name in SWITCH.findall(page)}


def alternates(page: str) -> dict[str, str]:
    return {code: unescape(href) for code, href in ALTERNATE.findall(page)}


@pytest.mark.parametrize("path", ["/", "/?q=bag&color=red&price_max=80", "/product?sku=sku%201", "/?like=nothing"])
def test_each_language_has_a_link_that_leads_to_the_same_place(client: httpx.Client, path: str) -> None:
    first = client.get(path, headers={"Accept-Language": "nl"}).text
    links = switcher(first)
    assert list(links) == list(LANGUAGES)
    assert [code for code, (_, _, current) in links.items() if current] == ["nl"]
    assert {code: links[code][1] for code in NAMES} == NAMES
    for code, (address, name, _) in links.items():
        answer = client.get(address, headers={"Accept-Language": "nl"})
        assert f'<html lang="{code}"' in answer.text
        assert answer.headers["content-language"] == code and name == name_of(code)
        again = switcher(answer.text)
        assert again["de"][0] == links["de"][0] and again[code][2]
        assert urlsplit(address)._replace(query="") == urlsplit(path)._replace(query="")
    if "q=" in path:
        assert links["ja"][0] == path + "&lang=ja"


def test_an_answer_with_a_part_of_the_page_has_new_language_links(client: httpx.Client) -> None:
    part = client.get("/?q=bag&lang=de", headers=HTMX).text
    assert '<nav id="languages" class="languages" aria-label="Sprache" hx-swap-oob="true">' in part
    assert switcher(part)["fr"][0] == "/?q=bag&lang=fr"
    assert "hx-swap-oob" not in client.get("/?q=bag").text.partition('<nav id="languages"')[2].partition(">")[0]


def test_search_engines_learn_the_languages_of_the_start_page_and_of_products(shop_database: Database) -> None:
    settings = SETTINGS.model_copy(update={"public_url": "https://shop.example"})
    with served(shop_database, settings) as client:
        for path in ("/", "/product?sku=sku%201"):
            bare = f"https://shop.example{path}"
            joint = "&" if "?" in path else "?"
            wanted = {**{code: f"{bare}{joint}lang={code}" for code in LANGUAGES}, "x-default": bare}
            for version in (path, f"{path}{joint}lang=ar"):
                page = client.get(version).text
                assert alternates(page) == wanted
                canonical = unescape(re.findall(r'<link rel="canonical" href="([^"]*)">', page)[0])
                assert canonical == f"https://shop.example{version}"
        for path in ("/?q=bag", "/?lang=de&color=red", "/?like=nothing", "/product?sku=nothing"):
            page = client.get(path).text
            assert alternates(page) == {} and 'rel="canonical"' not in page
        part = re.findall(r"<loc>https://shop.example(/sitemap/[^<]*)", client.get("/sitemap.xml").text)[0]
        robots = client.get("/robots.txt").text
        root = ElementTree.fromstring(client.get(part).text)
    assert "Allow: /?lang=de$" in robots
    for url in root:
        place = url[0].text or ""
        joint = "&" if "?" in place else "?"
        given = {link.get("hreflang"): link.get("href") for link in url if link.tag.endswith("}link")}
        assert given == {**{code: f"{place}{joint}lang={code}" for code in LANGUAGES}, "x-default": place}


def test_a_page_in_one_language_has_no_links_to_others(shop_database: Database) -> None:
    with served(shop_database, SETTINGS.model_copy(update={"languages": ["de"]})) as client:
        page = client.get("/").text
        assert switcher(page) == {} and alternates(page) == {} and 'id="languages"' not in page
        part = re.findall(r"<loc>[^<]*?(/sitemap/[^<]*)", client.get("/sitemap.xml").text)[0]
        assert "xhtml:link" not in client.get(part).text
