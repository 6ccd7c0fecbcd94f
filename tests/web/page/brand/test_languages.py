"""The page speaks the visitor's language, and each of its texts is translated into each language."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from db.engine import Database
from tests.support.web_service import SETTINGS, served
from tests.web.page.reading import HTMX, count, links
from web.page.brand import visit
from web.page.brand.languages import money, ngettext, number
from web.page.brand.script_texts import TEXTS
from web.page.brand.visit import ENGLISH, LANGUAGES, Site
from web.page.state import read

PAGE = Path(__file__).parents[4] / "web" / "page"
OTHERS = [each for each in LANGUAGES if each != ENGLISH]
PLACE = re.compile(r"%\(\w+\)s")


@pytest.fixture
def speaking() -> Iterator[None]:
    """Lets a test set the language of this process, and resets it."""
    yield
    visit.begin(Site(), None)


def speak(language: str) -> None:
    visit.begin(Site(languages=(language,)), None)


@pytest.fixture(scope="module")
def marked() -> set[str | tuple[str, ...]]:
    """Returns the texts that the code and the templates mark for translation."""
    methods = [("**.py", "python"), ("**.html", "jinja2")]
    words = {"_": None, "gettext": None, "ngettext": (1, 2), "marked": None}
    return {found[2] for found in extract_from_dir(PAGE, methods, keywords=words)}  # type: ignore[arg-type]


def catalog(language: str, room: str = "brand") -> Catalog:
    with (PAGE / room / "translations" / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


@pytest.mark.parametrize("language", OTHERS)
def test_each_text_is_translated_with_the_same_placeholders(language: str, marked: set[str | tuple[str, ...]]) -> None:
    shoppers, staff = (
        {message.id: message.string for message in catalog(language, room) if message.id} for room in ("brand", "staff")
    )
    assert len(marked) > 300 and not set(shoppers) & set(staff)
    messages = shoppers | staff
    assert set(messages) == marked
    for text, translated in messages.items():
        english = text if isinstance(text, str) else text[1]
        for form in [translated] if isinstance(translated, str) else translated:
            assert form.strip(), text
            assert sorted(PLACE.findall(form)) == sorted(PLACE.findall(english)), text
            assert "%" not in PLACE.sub("", form), text


def test_the_scripts_have_the_texts_that_are_translated_for_them() -> None:
    scripts = "".join(path.read_text() for path in (PAGE / "static").glob("*.js") if "min" not in path.name)
    assert [text for text in TEXTS if f'"{text}"' not in scripts] == []


@pytest.mark.parametrize(
    ("language", "price", "count"),
    [
        ("en", "€1,234.50", "1,234,567"),
        ("de", "1.234,50 €", "1.234.567"),
        ("fr", "1 234,50 €", "1 234 567"),
        ("es", "1.234,50 €", "1.234.567"),
        ("nl", "€ 1.234,50", "1.234.567"),
        ("pl", "1 234,50 zł", "1 234 567"),
        ("tr", "₺1.234,50", "1.234.567"),
        ("ja", "€1,234.50", "1,234,567"),
    ],
)
def test_prices_and_numbers_follow_the_language(speaking: None, language: str, price: str, count: str) -> None:
    speak(language)
    currency = {"pl": "PLN", "tr": "TRY"}.get(language, "EUR")
    assert re.sub(r"\s", " ", money(1234.5, currency) or "") == price
    assert re.sub(r"\s", " ", number(1234567)) == count


def test_a_whole_price_has_no_decimals_and_a_fraction_has_two_in_each_language(speaking: None) -> None:
    for language in LANGUAGES:
        speak(language)
        assert re.sub(r"[^0-9]", "", money(80, "EUR") or "") == "80"
        assert re.sub(r"[^0-9]", "", money(80.25, "JPY") or "") == "8025"


def test_counts_have_the_plural_of_the_language(speaking: None) -> None:
    speak("pl")
    forms = [ngettext("%(count)s product", "%(count)s products", n) % {"count": n} for n in (1, 3, 5, 22)]
    assert forms == ["1 produkt", "3 produkty", "5 produktów", "22 produkty"]


@pytest.mark.parametrize(
    ("language", "written", "price"),
    [
        ("de", "1.234,50", 1234.5), ("de", "1.234", 1234), ("de", "12,5", 12.5), ("de", "12.5", 12.5),
        ("en", "1,234.50", 1234.5), ("en", "12,5", 12.5), ("fr", "1\u202f234,50", 1234.5), ("pl", "1 234", 1234),
    ],
)  # fmt: skip
def test_a_price_is_read_as_the_language_writes_it(speaking: None, language: str, written: str, price: float) -> None:
    speak(language)
    assert read([("price_max", written)]).price_max == price


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_speaks_the_language_of_the_browser(client: httpx.Client, language: str) -> None:
    answer = client.get("/?q=bag", headers={"Accept-Language": f"xx, en;q=0.1, {language}-XX;q=0.9"})
    ending = ' dir="rtl">' if language == "ar" else ">"
    assert f'<html lang="{language}"{ending}' in answer.text
    assert "Accept-Language" in answer.headers["vary"]
    messages = {message.id: message.string for message in catalog(language)} if language != ENGLISH else {}
    for text in ("Search", "Sort by", "Filters", "Colour", "More results", "Describe it, or drop an image"):
        assert str(messages.get(text, text)) in answer.text
    assert ('name="texts"' in answer.text) == (language != ENGLISH)


def test_the_language_of_the_address_wins_and_stays_in_the_links(client: httpx.Client) -> None:
    english = {"Accept-Language": "en"}
    page = client.get("/?q=bag&lang=de", headers=english).text
    assert '<html lang="de">' in page
    assert '<input type="hidden" name="lang" value="de">' in page
    more = links(page, "<span>Mehr<")
    assert len(more) == 24 and all(each.endswith("lang=de") for each in more)
    product = client.get("/product?sku=sku%201&lang=de", headers=english).text
    assert "1,50\xa0€" in product and "Ähnliche Produkte" in product
    assert "Auf Lager" not in product  # the product has no availability
    part = client.get("/?lang=de", headers=english | HTMX).text
    assert count(part) == "60 Produkte"
    assert '<html lang="en">' in client.get("/?lang=xx", headers=english).text


def test_errors_are_in_the_visitors_language(client: httpx.Client) -> None:
    page = client.get("/?price_min=cheap&lang=fr").text
    assert "« cheap » n\u2019est pas un prix." in page
    refused = client.get("/", headers={"Host": "elsewhere.example", "Accept": "text/html", "Accept-Language": "ja"})
    said = {message.id: message.string for message in catalog("ja")}
    assert '<html lang="ja">' in refused.text and str(said["This address cannot be opened."]) in refused.text


def test_a_shop_can_offer_fewer_languages_and_change_texts(shop_database: Database, tmp_path: Path) -> None:
    (tmp_path / "theme.toml").write_text('[texts.de]\n"Find it by what it looks like." = "Licht für jeden Raum."\n')
    settings = SETTINGS.model_copy(update={"languages": ["de", "en"], "theme": tmp_path})
    with served(shop_database, settings) as client:
        page = client.get("/", headers={"Accept-Language": "fr"}).text
        assert '<html lang="de">' in page
        assert "<h1>Licht für jeden Raum.</h1>" in page
        assert '<html lang="de">' in client.get("/?lang=fr").text
        assert "<h1>Find it by what it looks like.</h1>" in client.get("/?lang=en").text


@pytest.mark.parametrize(
    ("accepted", "price", "count"),
    [
        ("en", "€1,234.50", "10,000"),
        ("en-GB,en;q=0.9", "€1,234.50", "10,000"),
        ("en-ZA", "€1\xa0234,50", "10\xa0000"),
        ("de", "1.234,50\xa0€", "10.000"),
        ("de-CH,de;q=0.9,en-GB;q=0.8", "EUR\xa01'234.50", "10'000"),
        ("fr-CH;q=0.1,de;q=0.9,de-AT", "€\xa01.234,50", "10.000"),
        ("es-MX", "EUR1,234.50", "10,000"),
        ("de-XX", "1.234,50\xa0€", "10.000"),
        ("de-Latn-CH-1996", "EUR\xa01'234.50", "10'000"),
        ("ar-EG", "\u200f1,234.50\xa0€", "10,000"),
        ("xx-GB", "€1,234.50", "10,000"),
    ],
)
def test_prices_and_numbers_follow_the_region_of_the_browser(accepted: str, price: str, count: str) -> None:
    scope: Any = {"headers": [(b"accept-language", accepted.encode())], "query_string": b"", "path": "/"}
    visit.begin(Site(), scope)
    try:
        assert money(1234.5, "EUR") == price
        assert number(10_000) == count
        assert read([("price_min", price.strip("EUR€\xa0\u200f"))]).price_min == 1234.5
    finally:
        visit.begin(Site(), None)
