"""Translates the page's texts into the visitor's language, and formats numbers and prices as is usual there.

The English texts are in the code and the templates. The functions `gettext`, `ngettext` and `marked` mark these texts;
`marked` is for a text that is translated later. The folders translations/ of brand and staff have a gettext catalog for
each language except English. A theme may have further catalogs.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from io import BytesIO

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, get_currency_symbol, get_group_symbol

from web.page.brand import visit

_PLACEHOLDER = re.compile(r"%\([a-z]+\)s")


def _catalog(language: str, package: str = "web.page.brand") -> Catalog:
    source = files(package).joinpath("translations", f"{language}.po").read_bytes()
    return read_po(BytesIO(source), locale=language)


def compiled(catalog: Catalog) -> GNUTranslations:
    written = BytesIO()
    write_mo(written, catalog)
    written.seek(0)
    return GNUTranslations(written)


@lru_cache(maxsize=len(visit.LANGUAGES))
def translations(language: str) -> NullTranslations:
    """Returns the page's own translations. A language that the page does not speak has the English texts."""
    if language not in visit.LANGUAGES[1:]:
        return NullTranslations()
    found = compiled(_catalog(language))
    # As the fallback, the catalog for staff translates only texts that the catalog for shoppers lacks.
    found.add_fallback(compiled(_catalog(language, "web.page.staff")))
    return found


def texts() -> set[str]:
    """Returns the English texts of the page that have only one form."""
    return {each.id for each in _catalog("de") if isinstance(each.id, str) and each.id}


def plurals() -> set[tuple[str, ...]]:
    """Returns the English texts of the page that have a form for one and a form for many."""
    return {tuple(each.id) for each in _catalog("de") if not isinstance(each.id, str)}


def has_placeholders_of(own: str, text: str) -> bool:
    """Returns whether a text of a theme is not blank, has the placeholders of the English text, such as %(count)s, and
    has no other percent sign."""
    placeholders = sorted(_PLACEHOLDER.findall(text))
    return (
        bool(own.strip()) and sorted(_PLACEHOLDER.findall(own)) == placeholders and "%" not in _PLACEHOLDER.sub("", own)
    )


def gettext(text: str) -> str:
    """Returns a text of the theme, or else the translation."""
    language = visit.language()
    return visit.theme().texts.get(language, {}).get(text) or _translations_of(language).gettext(text)


def ngettext(one: str, many: str, count: int) -> str:
    """Returns the form of the text for a count."""
    return _translations_of(visit.language()).ngettext(one, many, count)


def _translations_of(language: str) -> NullTranslations:
    return visit.theme().translations.get(language) or translations(language)


def marked(text: str) -> str:
    """Returns the text unchanged. `gettext` translates the text when the page shows it."""
    return text


def quoted(text: str) -> str:
    return gettext("“%(text)s”") % {"text": text}


def number(count: float) -> str:
    """Returns a number such as 10,000,000 or 9.5 as the visitor's locale writes it, with at most two decimals."""
    return _number(count, visit.locale())


def money(price: Decimal | float | None, currency: str | None) -> str | None:
    """Returns a price as the visitor's locale writes it: €1,234.50 or 1.234,50 €. A whole price has no decimals."""
    return None if price is None else _money(Decimal(str(price)), currency or "", visit.locale())


def sign(currency: str | None) -> str:
    return get_currency_symbol(currency, visit.locale()) if currency else ""


def group_separator() -> str:
    """Returns what the visitor's locale writes between thousands, such as a comma, a full stop or a space."""
    return get_group_symbol(visit.locale())


@lru_cache(maxsize=20_000)
def _number(count: float, locale: str) -> str:
    return format_decimal(count, format="#,##0.##", locale=locale)


@lru_cache(maxsize=20_000)
def _money(price: Decimal, currency: str, locale: str) -> str:
    decimals = "" if price == price.to_integral() else ".00"
    if not currency:
        return format_decimal(price, format=f"#,##0{decimals}", locale=locale)
    return _money_format(locale, decimals)(price, currency)


@lru_cache(maxsize=64)
def _money_format(locale: str, decimals: str) -> Callable[[Decimal, str], str]:
    pattern = Locale.parse(locale).currency_formats["standard"].pattern.replace(".00", decimals)
    return lambda price, currency: format_currency(
        price, currency, format=pattern, locale=locale, currency_digits=False
    )
