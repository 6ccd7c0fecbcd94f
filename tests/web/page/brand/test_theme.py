"""A shop's theme gives the page its name, description, logo, colours, CSS and templates. With a theme that cannot be
used, the service does not start and reports one error."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import httpx
import pytest

from db.engine import Database
from db.errors import SettingsError
from tests.support.web_service import SETTINGS, served
from web.page.brand.setup import make_site
from web.page.brand.theme import COLORS
from web.settings import WebSettings

LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'
TOML = """
name = "Lamps & Co"
description = "Light for every room."

[colors]
accent = ["#7a2e0e", "#f0a97f"]
page = "#ffffff"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns the folder of a complete theme."""
    (tmp_path / "theme.toml").write_text(TOML)
    (tmp_path / "logo.svg").write_text(LOGO)
    (tmp_path / "theme.css").write_text(".brand { font-style: italic; }")
    (tmp_path / "social.png").write_bytes(b"\x89PNG")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text(
        '{% extends "windowshop/page.html" %}{% block footer %}<footer>{% include "shop_imprint.html" %}</footer>'
        "{% endblock %}"
    )
    (tmp_path / "templates" / "shop_imprint.html").write_text("Lamp Street 1")
    return tmp_path


def themed(folder: Path) -> WebSettings:
    return SETTINGS.model_copy(update={"theme": folder, "frame_ancestors": ["https://shop.example"]})


def test_the_page_has_the_name_and_the_look_and_the_templates_of_the_theme(
    shop_database: Database, folder: Path
) -> None:
    with served(shop_database, themed(folder)) as client:
        answer = client.get("/")
        page = answer.text
        assert "<title>Lamps &amp; Co</title>" in page
        assert "Windowshop" not in page
        assert "<footer>Lamp Street 1</footer>" in page
        assert '<meta name="description" content="Light for every room.">' in page
        logo = re.search(r'<img class="logo" src="([^"]+)" alt="Lamps &amp; Co">', page)
        assert logo and client.get(logo[1]).text == LOGO
        assert "sandbox" in client.get(logo[1]).headers["content-security-policy"]
        css = re.search(r'href="(/static/\w+/theme\.css)"', page)
        assert css
        rules = client.get(css[1]).text
        assert "--accent:light-dark(#7a2e0e,#f0a97f);--page:light-dark(#ffffff,#ffffff);" in rules
        assert rules.endswith(".brand { font-style: italic; }")
        assert "frame-ancestors https://shop.example" in answer.headers["content-security-policy"]
        assert "script-src" not in answer.headers["content-security-policy"]  # default-src applies to scripts
        error = client.get("/?like=nothing")
        assert "<footer>" in error.text and "Lamps" in error.text
        refused = client.get("/", headers={"Host": "elsewhere.example", "Accept": "text/html"})
        assert "<footer>Lamp Street 1</footer>" in refused.text


def test_a_service_without_a_theme_keeps_its_look_and_forbids_frames(client: httpx.Client) -> None:
    answer = client.get("/")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "theme.css" not in answer.text
    assert "<title>Windowshop</title>" in answer.text


def test_open_graph_tags_describe_the_page_with_whole_addresses(shop_database: Database, folder: Path) -> None:
    with served(shop_database, themed(folder)) as client:
        tags = og(client.get("/?q=bag", headers={"Host": "localhost"}).text)
        product = og(client.get("/product?sku=sku%201", headers={"Host": "localhost"}).text)
    assert tags["site_name"] == "Lamps & Co"
    assert tags["title"] == "bag"
    assert tags["type"] == "website"
    assert tags["url"] == "http://localhost/?q=bag"
    assert re.fullmatch(r"http://localhost/static/\w+/social\.png", tags["image"])
    assert product["title"] == "black shoes number1"
    assert product["type"] == "product"
    assert product["url"] == "http://localhost/product?sku=sku%201"
    assert product["image"].startswith("http://localhost/images/")


def og(page: str) -> dict[str, str]:
    return {key: unescape(value) for key, value in re.findall(r'<meta property="og:(\w+)" content="([^"]*)">', page)}


def written(name: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (written("theme.toml", "name = "), r"theme\.toml: Invalid value"),
        (written("theme.toml", "names = 'x'"), r"theme\.toml: Object contains unknown field `names`"),
        (written("theme.toml", "name = ''"), r"theme\.toml: name has 1 to 60 characters"),
        (written("theme.toml", "[colors]\ninks = '#000'"), f"there is no colour inks; the colours are {COLORS[0]}"),
        (written("theme.toml", "[colors]\nink = 'red;}'"), "the colour ink is"),
        (written("theme.toml", "[texts.xx]"), "the page has no language xx"),
        (written("theme.toml", "[texts.en]\nHello = 'x'"), r"\[texts.en\]: the page has no text 'Hello'"),
        (written("theme.toml", "[texts.en]\n'Request %(id)s' = 'x'"), "'x' does not have the same placeholders"),
        (written("logo.gif", "GIF"), r"logo\.gif: the page cannot use this file; give logo\.svg"),
        (written("theme.css", "x" * 2_000_001), r"theme\.css: the file is larger than 2,000,000 bytes"),
        (written("templates/pages.html", "x"), r"pages\.html: the page has no template of this name"),
        (written("templates/cards.html", "{% for x %}"), r"cards\.html, line 1: "),
        (written("templates/cards.html", "<li>{{ nothing }}"), "a template fails: 'nothing' is undefined"),
        (written("templates/page.html", '{% include "gone.html" %}'), r"a template fails: gone\.html"),
        (written("templates/page.html", "{{ asset('gone.js') }}"), "a template fails: 'there is no file gone.js'"),
    ],
)
def test_a_theme_with_a_fault_ends_the_start_with_one_error(
    folder: Path, damage: Callable[[Path], object], message: str
) -> None:
    make_site(themed(folder))
    damage(folder)
    with pytest.raises(SettingsError, match=f"^WINDOWSHOP_WEB_THEME: .*{message}"):
        make_site(themed(folder))


def test_a_folder_that_does_not_exist_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="^WINDOWSHOP_WEB_THEME: .*gone: there is no such folder"):
        make_site(themed(tmp_path / "gone"))
