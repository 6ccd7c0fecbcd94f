"""Keeps the request that is being answered, and the `Site` that answers this request.

Templates and functions that format a value read both here, as they read the path prefix in web/http/addresses.py.
"""

import re
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from jinja2 import Environment
from litestar.types import Scope

from web.http.addresses import address
from web.page.brand.theme import Theme

ENGLISH = "en"
LANGUAGES = (ENGLISH, "de", "fr", "es", "nl", "pl", "tr", "ja", "ar")
_LANG = re.compile(rb"(?:^|&)lang=([a-z]{2,3})(?=&|$)")
_ACCEPTED = re.compile(r"\s*([A-Za-z]{2,3})(?:-([A-Za-z0-9-]+))?\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?\s*")
_REGION = re.compile(r"(?:^|-)([A-Za-z]{2})(?:-|$)")  # finds GB in the subtag of en-GB, and TW in that of zh-Hant-TW
_MOST = 20  # languages of Accept-Language that are read


@dataclass(frozen=True, slots=True)
class Site:
    """What one service shows.

    `frame_ancestors` has the sources of the directive frame-ancestors of the content security policy. The first of the
    languages is for visitors who accept none of them. The page's absolute addresses have the scheme and the host of
    `public_url` or, without it, those of the request.
    """

    theme: Theme = field(default_factory=Theme)
    frame_ancestors: str = "'none'"
    templates: Environment | None = None
    languages: tuple[str, ...] = LANGUAGES
    public_url: str | None = None


@dataclass(slots=True)
class _Visit:
    site: Site
    scope: Scope | None = None
    language: str = ""  # found when it is first needed
    locale: str = ""


_visit: ContextVar[_Visit | None] = ContextVar("visit", default=None)
_nobody = _Visit(Site())


def begin(site: Site, scope: Scope | None) -> None:
    """Note the site and the request. Code that runs later in the same task reads them."""
    _visit.set(_Visit(site, scope))


def site() -> Site:
    return (_visit.get() or _nobody).site


def theme() -> Theme:
    return site().theme


def header(name: bytes) -> str:
    scope = (_visit.get() or _nobody).scope
    found = next((value for key, value in scope["headers"] if key == name), b"") if scope else b""
    return found.decode("latin-1")


def chosen_language() -> str:
    """Returns the language that the address of the request names, or an empty text. Links of the page keep this
    language."""
    now = _visit.get() or _nobody
    found = _LANG.search(now.scope["query_string"]) if now.scope else None
    name = found[1].decode() if found else ""
    return name if name in now.site.languages else ""


def language() -> str:
    """Returns the language that the address names. If it names none, returns the site's language that the visitor's
    browser prefers, or the site's first language if the browser accepts none of them."""
    now = _visit.get() or _nobody
    if now.scope is None:
        return now.site.languages[0]
    if not now.language:
        now.language = chosen_language() or _accepted(header(b"accept-language"), now.site.languages)
    return now.language


def locale() -> str:
    """Returns the locale of numbers and prices, such as en_GB: the language of the page, and the region that the
    visitor's browser prefers for this language. Returns the language if the browser names no region or this region is
    unknown."""
    now = _visit.get() or _nobody
    if not now.locale:
        own = language()
        tags = _tags(header(b"accept-language")) if now.scope else []
        regions = ((_REGION.search(tag), weight) for name, tag, weight in tags if name == own)
        known = ((found[1], weight) for found, weight in regions if found)
        best, _ = max(known, key=lambda one: one[1], default=("", 0))
        now.locale = _known(own, best.upper()) if best else own
    return now.locale


@lru_cache(maxsize=256)
def _known(name: str, region: str) -> str:
    try:
        return str(Locale.parse(f"{name}_{region}"))
    except (UnknownLocaleError, ValueError):
        return name


def _tags(accepted: str) -> list[tuple[str, str, float]]:
    """Returns the languages of Accept-Language whose weight is above 0, each with its further subtags and its
    weight."""
    found = (_ACCEPTED.fullmatch(each) for each in accepted.split(",")[:_MOST])
    tags = [(one[1].lower(), one[2] or "", float(one[3] or 1)) for one in found if one]
    return [tag for tag in tags if tag[2] > 0]


def _accepted(header_: str, offered: tuple[str, ...]) -> str:
    known = [(name, weight) for name, _, weight in _tags(header_) if name in offered]
    return max(known, key=lambda one: one[1])[0] if known else offered[0]


def direction() -> str:
    return Locale.parse(language()).text_direction


def is_home() -> bool:
    """Returns whether the request is for the start page, in any language, without other parameters."""
    scope = (_visit.get() or _nobody).scope
    return scope is not None and scope["path"] == "/" and not _LANG.sub(b"", scope["query_string"], count=1)


def in_language(path: str) -> str:
    """Returns the address with the language that the visitor chose, if the visitor chose one."""
    chosen = chosen_language()
    return f"{path}{'&' if '?' in path else '?'}lang={chosen}" if chosen else path


def absolute(path: str) -> str:
    """Returns the address of a path of this service, with a scheme and a host. An address of another host is returned
    unchanged, and so is a path outside a request. No path prefix is added: `path` has it already."""
    scope = (_visit.get() or _nobody).scope
    if scope is None or not path.startswith("/"):
        return path
    return f"{site().public_url or scope['scheme'] + '://' + header(b'host')}{path}"


def home() -> str:
    return absolute(address("/"))
