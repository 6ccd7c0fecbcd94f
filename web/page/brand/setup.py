"""Makes the `Site` of a service: reads the theme, and tries its templates, so that a fault shows at the start."""

from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, TemplateError, TemplateSyntaxError

from db.errors import SettingsError
from db.search.rows import BrowseItem
from web.http.problems import ApiError, problem_and_headers
from web.page import rendering
from web.page.brand import languages, visit
from web.page.brand.added_languages import read_translations
from web.page.brand.theme import SETTING, Theme, read_theme
from web.page.brand.visit import Site
from web.page.results import PageResult
from web.page.state import PageState
from web.settings import WebSettings

# With this prefix, a template of the theme names a template of the page. So the theme's page.html can extend the page's
# own, windowshop/page.html.
OURS = "windowshop"
ADDED = "shop_"  # the name of a template that replaces none of the page's templates begins with this text
_PRODUCT = BrowseItem(
    UUID(int=0), "A-1", "A lamp", "Nord", "Lamps", Decimal(80), "EUR", "in_stock", "red", None, None, None, 0,
    Decimal(80), "", None, None, None, None, None
)  # fmt: skip


def make_site(settings: WebSettings) -> Site:
    """Returns the site. Raises SettingsError for a theme that cannot be used, or a language that the page lacks."""
    theme = read_theme(settings.theme) if settings.theme else Theme()
    if settings.theme:
        theme = replace(theme, translations=read_translations(settings.theme / "translations"))
    offered = _offered(settings, theme)
    if settings.theme:
        _check_texts(theme, settings.theme, offered)
    for language in offered:
        languages.translations(language)  # reads them now, so that the first visitor does not wait
    templates = rendering.TEMPLATES
    if theme.templates is not None:
        templates = _environment(theme.templates)
    ancestors = " ".join(settings.frame_ancestors) or "'none'"
    site = Site(theme, ancestors, templates, offered, settings.public_url)
    if theme.templates is not None:
        _try(site, theme.templates)
    return site


def _offered(settings: WebSettings, theme: Theme) -> tuple[str, ...]:
    """Returns the languages of the page: those of the setting, or else the page's own and the theme's. A language whose
    catalog is faulty is left out. If no language of the setting is left, the setting is ignored. Raises SettingsError
    for a language of the setting that neither the page nor the theme has."""
    known = (*visit.LANGUAGES, *sorted(set(theme.translations) - set(visit.LANGUAGES)))
    if "languages" not in settings.model_fields_set:
        return known
    faulty = {
        language
        for language in settings.languages
        if language not in known and settings.theme and (settings.theme / "translations" / f"{language}.po").exists()
    }
    for language in settings.languages:
        if language not in known and language not in faulty:
            raise SettingsError(
                f"WINDOWSHOP_WEB_LANGUAGES: the page has no language {language}",
                hint=f"It has {', '.join(known)}. A theme adds one with the file translations/{language}.po.",
            )
    return tuple(dict.fromkeys(each for each in settings.languages if each not in faulty)) or known


def _check_texts(theme: Theme, folder: Path, offered: Collection[str]) -> None:
    """Raises SettingsError for a language or a text that the page does not have, and for a text that
    `has_placeholders_of` refuses."""
    known = languages.texts()
    for language, texts in theme.texts.items():
        if language not in (*visit.LANGUAGES, *offered):
            raise SettingsError(f"{SETTING}: {folder / 'theme.toml'}: the page has no language {language[:20]}")
        for text, own in texts.items():
            where = f"{SETTING}: {folder / 'theme.toml'}: [texts.{language}]"
            if text not in known:
                raise SettingsError(f"{where}: the page has no text {text[:80]!r}")
            if not languages.has_placeholders_of(own, text):
                raise SettingsError(
                    f"{where}: {own[:80]!r} does not have the same placeholders %(...)s as {text[:80]!r}"
                )


def _environment(folder: Path) -> Environment:
    ours = rendering.TEMPLATES.loader
    assert ours is not None
    known = ours.list_templates()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in known and not name.startswith((ADDED, ".")):
            raise SettingsError(
                f"{SETTING}: {path}: the page has no template of this name",
                hint=f"The page has {', '.join(known)}. The name of a template of your own begins with {ADDED}.",
            )
    return rendering.TEMPLATES.overlay(
        loader=ChoiceLoader([FileSystemLoader(folder), ours, PrefixLoader({OURS: ours})])
    )


def _try(site: Site, folder: Path) -> None:
    """Compile each template, and render the page with results, without results and with a problem. Raises SettingsError
    if a template fails."""
    assert site.templates is not None
    try:
        for name in site.templates.list_templates():
            site.templates.get_template(name)
        visit.begin(site, None)
        problem, _ = problem_and_headers(ApiError("not-found"), "trial")
        state = PageState(q="lamp")
        contexts = [
            rendering.context(state, PageResult(products, "", None, "main", [], {}, {}, 0))
            for products in ([], [_PRODUCT])
        ]
        for tried in (*contexts, rendering.context(state, None, problem=problem)):
            for name in ("page.html", "part.html", "more.html"):
                site.templates.get_template(name).render(tried | {"request": None})
    except TemplateSyntaxError as error:
        raise SettingsError(f"{SETTING}: {error.filename or folder}, line {error.lineno}: {error.message}") from error
    except (TemplateError, KeyError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise SettingsError(f"{SETTING}: {folder}: a template fails: {error}") from error
    finally:
        visit.begin(Site(), None)
