"""The page for staff is in the language of its visitor, and has the look of the shop's theme."""

import re
from html import unescape
from pathlib import Path

import httpx
import pytest

from db.engine import Database
from tests.support.web_service import Serve
from tests.web.page.staff.signing_in import OWN, RULE, Keys, sign_in
from web.http.problems import KINDS
from web.page.brand.visit import LANGUAGES
from web.page.staff.wording import TITLES

PAGES = ("/staff", "/staff/synonyms", "/staff/rules", "/staff/quarantine", "/staff/models")
TITLE = re.compile(r"<h1>(.*?)</h1>")
# No page for staff shows these problems in a browser.
ELSEWHERE = {"method", "body-timeout", "conflict", "cursor-outdated", "media-type", "idempotency-key", "client-gone",
             "method-unknown"}  # fmt: skip


def test_each_page_speaks_each_language_and_its_links_keep_the_language(client: httpx.Client, keys: Keys) -> None:
    sign_in(client, keys["admin"])
    for language in LANGUAGES:
        titles = set()
        for path in PAGES:
            answer = client.get(f"{path}?lang={language}", headers={"Accept-Language": "en"})
            ending = ' dir="rtl">' if language == "ar" else ">"
            assert f'<html lang="{language}"{ending}' in answer.text
            assert answer.headers["content-language"] == language
            titles.add(TITLE.findall(answer.text)[0])
            for address in re.findall(r'(?:href|action)="(/staff[^"]*)"(?! lang=)', answer.text):
                assert unescape(address).endswith(f"lang={language}"), address
        assert len(titles) == len(PAGES)
        assert (titles == {"Queries", "Synonyms", "Rules", "Quarantine", "Models"}) == (language == "en")
    assert '<html lang="tr">' in client.get("/staff", headers={"Accept-Language": "tr"}).text
    german = client.post("/staff/rules?lang=de", data={**RULE, "when_value": ""})
    assert german.status_code == 422
    assert "Die Anfrage ist nicht gültig." in german.text
    assert "Die Regel braucht einen Wert der Bedingung." in german.text


def test_a_sign_in_and_a_saved_rule_keep_the_language(client: httpx.Client, keys: Keys) -> None:
    client.cookies.clear()
    answer = client.post("/staff/sign-in?lang=de", data={"key": keys["admin"]}, follow_redirects=True)
    assert TITLE.findall(answer.text) == ["Suchanfragen"]
    saved = client.post("/staff/rules?lang=de", data=RULE, follow_redirects=True)
    assert "Die Regel ist gespeichert." in saved.text
    assert "die Suche ist genau bag" in saved.text and "sku 3 steht auf Platz 1" in saved.text


def test_markup_in_texts_of_a_client_is_escaped(client: httpx.Client, keys: Keys) -> None:
    sign_in(client, keys["admin"])
    for answer in (
        client.get("/staff", params={"catalog": "<b>x</b>"}),
        client.post("/staff/rules", data={**RULE, "then_value": "<b>100 %(x)s</b>"}),
        client.post("/staff/preview/rules", data={**RULE, "then_value": "<b>100 %(x)s</b>"}),
    ):
        assert answer.status_code in (404, 422)
        assert "<b>" not in answer.text and "&lt;b&gt;" in answer.text


def test_staff_see_the_name_and_the_logo_and_the_colours_of_the_shop(
    own_database: Database, serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "theme.toml").write_text('name = "Lamps & Co"\n[colors]\naccent = ["#7a2e0e", "#f0a97f"]\n')
    (tmp_path / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    with serve(own_database, theme=tmp_path) as client:
        for path in (*PAGES, "/staff/nowhere"):
            page = client.get(path, headers=OWN).text
            assert "· Lamps &amp; Co</title>" in page, path
            assert re.search(r'<img class="logo" src="/static/\w+/logo.svg" alt="Lamps &amp; Co">', page), path
            assert "Windowshop" not in page
        css = re.findall(r'href="(/static/\w+/theme\.css)"', page)
        assert "--accent:light-dark(#7a2e0e,#f0a97f)" in client.get(css[0]).text


@pytest.mark.parametrize("kind", sorted(set(KINDS) - ELSEWHERE))
def test_the_title_of_each_problem_of_the_page_is_marked_for_translation(kind: str) -> None:
    assert KINDS[kind].title in TITLES
