"""Gives the addresses of a page in its other languages, for the language switcher and for search engines."""

import re
from dataclasses import dataclass
from functools import lru_cache

from babel import Locale

from web.http.addresses import address
from web.page.brand import visit

DEFAULT = "x-default"  # stands for the address without a language: the page then has the language of the browser
_LANG = re.compile(r"[?&]lang=[a-z]{2,3}$")  # the addresses of the page have the language at their end


@dataclass(frozen=True, slots=True)
class LanguageLink:
    code: str
    name: str  # the language's own name, such as Français
    address: str
    is_current: bool


def language_links(here: str) -> list[LanguageLink]:
    """Returns a link to the address `here` in each language, or none if the page has only one language."""
    offered = visit.site().languages
    if len(offered) < 2:
        return []
    return [LanguageLink(code, name_of(code), _in(here, code), code == visit.language()) for code in offered]


def alternates(here: str) -> list[tuple[str, str]]:
    """Returns each language with the whole address of `here` in this language, and DEFAULT with the address without a
    language. Returns none if the page has only one language."""
    offered = visit.site().languages
    if len(offered) < 2:
        return []
    return [(code or DEFAULT, visit.absolute(_in(here, code))) for code in (*offered, "")]


def indexed(own: str | None) -> str | None:
    """Returns the address under which search engines may list the page of this request. For a product, this is `own`.
    For the start page, it is the address of the start page. Returns None for other pages, such as results of
    searches."""
    return own or (visit.in_language(address("/")) if visit.is_home() else None)


@lru_cache(maxsize=100)
def name_of(code: str) -> str:
    """Returns what speakers of the language call it, such as Français."""
    name = Locale.parse(code).get_display_name(code) or code
    return name[:1].upper() + name[1:]


def _in(here: str, code: str) -> str:
    bare = _LANG.sub("", here)
    return f"{bare}{'&' if '?' in bare else '?'}lang={code}" if code else bare
