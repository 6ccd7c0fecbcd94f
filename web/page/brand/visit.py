"""Keeps, while a request is answered, the site that answers it and the request itself.

Templates and functions that format a value read them here, as they read the path prefix in web/http/addresses.py.
"""

from contextvars import ContextVar
from dataclasses import dataclass, field

from jinja2 import Environment
from litestar.types import Scope

from web.http.addresses import address
from web.page.brand.theme import Theme


@dataclass(frozen=True, slots=True)
class Site:
    """What one service shows. `frame_ancestors` are the sources of the directive of this name."""

    theme: Theme = field(default_factory=Theme)
    frame_ancestors: str = "'none'"
    templates: Environment | None = None


@dataclass(slots=True)
class _Visit:
    site: Site
    scope: Scope | None = None


_visit: ContextVar[_Visit | None] = ContextVar("visit", default=None)
_nobody = _Visit(Site())


def begin(site: Site, scope: Scope | None) -> None:
    """Note the site and the request. The rest of the task reads them."""
    _visit.set(_Visit(site, scope))


def site() -> Site:
    return (_visit.get() or _nobody).site


def theme() -> Theme:
    return site().theme


def header(name: bytes) -> str:
    scope = (_visit.get() or _nobody).scope
    found = next((value for key, value in scope["headers"] if key == name), b"") if scope else b""
    return found.decode("latin-1")


def absolute(path: str) -> str:
    """Returns the address of a path of this service, with the scheme and the host of the request. An address of another
    host is returned unchanged. The path may have the prefix already."""
    scope = (_visit.get() or _nobody).scope
    if scope is None or not path.startswith("/"):
        return path
    return f"{scope['scheme']}://{header(b'host')}{path}"


def home() -> str:
    return absolute(address("/"))
