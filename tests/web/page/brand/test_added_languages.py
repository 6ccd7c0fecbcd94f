"""A gettext catalog in a theme adds a language to the page, or changes texts of a language. A faulty gettext catalog is
left out."""

import re
import shutil
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from db.engine import Database
from db.errors import SettingsError
from tests.support.web_service import SETTINGS, served
from tests.web.page.reading import count
from web.page.brand.setup import make_site
from web.page.brand.visit import LANGUAGES

OWN = Path(__file__).parents[4] / "web" / "page" / "brand" / "translations"
HEAD = 'msgid ""\nmsgstr ""\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n'
ITALIAN = """
msgid "Search"
msgstr "Cerca"

msgid "More results"
msgstr ""

msgid "A text of an older version"
msgstr "Un testo"

#, python-format
msgid "%(count)s product"
msgid_plural "%(count)s products"
msgstr[0] "%(count)s prodotto"
msgstr[1] "%(count)s prodotti"
"""


def write(theme: Path, name: str, content: str) -> None:
    (theme / "translations").mkdir(exist_ok=True)
    (theme / "translations" / name).write_text(content)


def test_a_language_of_the_theme_shows_english_where_it_lacks_a_text(shop_database: Database, tmp_path: Path) -> None:
    write(tmp_path, "it.po", HEAD + ITALIAN)
    write(tmp_path, "he.po", HEAD + '\nmsgid "Search"\nmsgstr "חיפוש"\n')
    write(tmp_path, "de.po", HEAD + '\nmsgid "Search"\nmsgstr "Los"\n')
    with served(shop_database, SETTINGS.model_copy(update={"theme": tmp_path})) as client:
        page = client.get("/", headers={"Accept-Language": "it-IT"}).text
        assert '<html lang="it">' in page and "<span>Cerca</span>" in page and "More results" in page
        assert count(page) == "60 prodotti"
        assert 'lang="it" hreflang="it" aria-current="true" hx-boost="false">Italiano</a>' in page
        assert '<html lang="he" dir="rtl">' in client.get("/?lang=he").text
        german = client.get("/?lang=de").text
        assert "<span>Los</span>" in german and "Mehr Ergebnisse" in german and count(german) == "60 Produkte"


def test_the_setting_may_name_languages_of_the_page_and_of_the_theme_and_no_others(tmp_path: Path) -> None:
    shutil.copytree(OWN, tmp_path / "translations")
    write(tmp_path, "it.po", HEAD + ITALIAN)
    settings = SETTINGS.model_copy(update={"theme": tmp_path})
    assert make_site(settings).languages == (*LANGUAGES, "it")
    assert make_site(settings.model_copy(update={"languages": ["it", "en", "it"]})).languages == ("it", "en")
    with pytest.raises(SettingsError, match="^WINDOWSHOP_WEB_LANGUAGES: the page has no language sv"):
        make_site(settings.model_copy(update={"languages": ["it", "sv"]}))
    with pytest.raises(SettingsError, match="the page has no language it"):
        make_site(SETTINGS.model_copy(update={"languages": ["it"]}))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("it.po", HEAD + 'msgid "Search', r"it\.po: line 4: "),
        ("it.po", HEAD + 'msgid "Search"\n', r"it\.po: line 4: missing msgstr"),
        ("it.po", HEAD + 'msgid "%(count)s more"\nmsgstr "altri"\n', r"line 4: 'altri' does not have the same"),
        ("it.po", HEAD + '\nmsgid "Search"\nmsgstr "100 % ricerca"\n', "does not have the same"),
        ("it.po", HEAD.replace("(n != 1)", "(n !=") + ITALIAN, r"it\.po: line 1: "),
        ("it.po", HEAD.replace("nplurals=2", "nplurals=x") + ITALIAN, r"it\.po: line \d: "),
        ("it.po", HEAD + '"Content-Type: text/plain; charset=nonsense\\n"\n' + ITALIAN, "line 7: unknown encoding"),
        ("it.po", HEAD + '"Content-Type: text/plain; charset=ascii\\n"\n\nmsgid "Search"\nmsgstr "é"\n', r"line \d: "),
        ("it.po", "\0" * 10, r"it\.po: line 1: "),
        ("xq.po", HEAD, r"xq\.po: the name is not the code of a language"),
        ("it.mo", "", r"it\.mo: the name is not the code of a language"),
        ("it.po", "#" * 2_000_001, r"it\.po: the file is larger than 2,000,000 bytes"),
    ],
)  # fmt: skip
def test_a_faulty_catalog_is_left_out_with_one_error(tmp_path: Path, name: str, content: str, message: str) -> None:
    write(tmp_path, name, content)
    write(tmp_path, "sv.po", HEAD + '\nmsgid "Search"\nmsgstr "Sök"\n')
    with capture_logs() as logs:
        site = make_site(SETTINGS.model_copy(update={"theme": tmp_path}))
    assert site.languages == (*LANGUAGES, "sv")
    if name == "it.po":
        named = SETTINGS.model_copy(update={"theme": tmp_path, "languages": ["it", "sv"]})
        assert make_site(named).languages == ("sv",)
    [error] = [each for each in logs if each["log_level"] == "error"]
    assert error["event"] == "the page leaves out a catalog of the theme"
    assert re.match(f"^WINDOWSHOP_WEB_THEME: .*{message}", error["reason"])


def test_a_catalog_that_cannot_be_opened_is_left_out_too(tmp_path: Path) -> None:
    folder = tmp_path / "translations"
    folder.mkdir()
    (folder / "it.po").symlink_to("nowhere")
    (folder / "sv.po").mkdir()
    with capture_logs() as logs:
        site = make_site(SETTINGS.model_copy(update={"theme": tmp_path}))
    assert site.languages == LANGUAGES
    assert [each["reason"].rpartition("/")[2] for each in logs] == [
        "it.po: No such file or directory",
        "sv.po: Is a directory",
    ]
