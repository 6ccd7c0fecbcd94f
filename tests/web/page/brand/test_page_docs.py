"""The theme of docs/page.md works as written there, and docs/page.md names every colour and language."""

import re
import subprocess
from pathlib import Path

import pytest

from db.engine import Database
from tests.support.web_service import SETTINGS, served
from tests.web.page.reading import count
from web.page.brand.theme import COLORS
from web.page.brand.visit import LANGUAGES

PAGE = (Path(__file__).parents[4] / "docs" / "page.md").read_text()
SERVE = "WINDOWSHOP_WEB_THEME=theme windowshop serve\n"
LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'


@pytest.fixture
def theme(tmp_path: Path) -> Path:
    """Returns the folder that the commands of docs/page.md make."""
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
    assert SERVE in commands
    (tmp_path / "our-logo.svg").write_text(LOGO)
    subprocess.run(["bash", "-e", "-c", commands.replace(SERVE, "")], cwd=tmp_path, check=True)
    return tmp_path / "theme"


def test_the_theme_of_the_docs_changes_name_and_texts_and_languages_of_the_page(
    shop_database: Database, theme: Path
) -> None:
    with served(shop_database, SETTINGS.model_copy(update={"theme": theme})) as client:
        english, german, italian = (client.get(f"/?lang={language}").text for language in ("en", "de", "it"))
        shop_js = re.findall(r'<script src="(/static/\w+/shop\.js)" defer>', english)
        assert client.get(shop_js[0]).status_code == 200
    assert "<h1>Light for every room.</h1>" in english and "<h1>Licht für jeden Raum.</h1>" in german
    assert "<title>Lamps &amp; Co</title>" in english and 'class="logo"' in english
    assert '<footer class="imprint">Lamps &amp; Co, Lamp Street 1' in english
    assert "<span>Cerca</span>" in italian and count(italian) == "60 prodotti"


def test_the_docs_name_every_colour_and_every_language() -> None:
    assert all(f"`{color}`" in PAGE for color in COLORS)
    assert all(f"`{language}`" in PAGE for language in LANGUAGES)
