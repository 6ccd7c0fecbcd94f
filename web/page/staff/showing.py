"""Renders the page for staff and its errors, and refuses forms of other origins."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from jinja2 import ChoiceLoader, PackageLoader
from litestar import MediaType, Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler
from litestar.response import Redirect
from litestar.types import Scope
from sqlalchemy import Connection

from db.catalog import catalogs
from web.api.key_limits import KeyLimits
from web.http.addresses import address
from web.http.context import context_of
from web.http.problems import ApiError, Problem, problem_of
from web.page.brand import visit
from web.page.brand.languages import gettext, marked
from web.page.rendering import TEMPLATES, is_own_form
from web.page.staff import wording
from web.page.staff.sessions import COOKIE, IDLE_SECONDS, PATH

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "HX-Request, Accept-Language",
    "X-Robots-Tag": "noindex",
}
_TEMPLATES = TEMPLATES.overlay(loader=ChoiceLoader([PackageLoader("web.page.staff"), PackageLoader("web.page")]))
_TEMPLATES.globals = {
    **TEMPLATES.globals,
    "home": PATH,
    "idle_minutes": IDLE_SECONDS // 60,
    "translated": gettext,
    "day": wording.day,
    "percent": wording.percent,
    "score": wording.score,
    "state_of": wording.state_of,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """The catalog that a page shows, and all existing catalogs that the key allows."""

    catalog: str
    catalogs: list[str]
    sees_every_catalog: bool


async def choice(request: Request[Any, Any, Any], state: State, wanted: str = "") -> Choice:
    """Returns the wanted catalog, or the default one. Raises ApiError if the key does not allow the catalog or has a
    filter, or if the catalog does not exist."""
    limits = KeyLimits.of(request)
    limits.check_counts()
    if wanted:
        limits.check_catalog(wanted)

    def read(conn: Connection) -> tuple[list[str], str | None]:
        allowed = [name for name in catalogs.names(conn) if limits.allows_catalog(name)]
        return allowed, wanted or catalogs.default_catalog(conn, allowed)

    allowed, catalog = await state.pools.read(request, read)
    if catalog not in allowed:
        raise ApiError(
            "not-found",
            gettext("There is no catalog %(name)s.") % {"name": wanted[:80]}
            if wanted
            else marked("There is no catalog."),
        )
    return Choice(catalog, allowed, limits.allows_every_catalog)


def page(
    request: Request[Any, Any, Any], template: str, chosen: Choice | None = None, *, status: int = 200, **more: Any
) -> Response[bytes]:
    """Returns a page. Without `chosen` it has no navigation."""
    key = context_of(request.scope).api_key
    said = wording.DONE.get(request.query_params.get("done", "")) if request.method == "GET" else None
    body = _TEMPLATES.get_template(template).render(
        chosen=chosen,
        key=None if key is None else key.name,
        said=said and gettext(said),
        link=link,
        here=_here(request.scope, chosen),
        **{"problem": None, **more},
    )
    return Response(
        body.encode(), media_type=f"{MediaType.HTML.value}; charset=utf-8", headers=headers(), status_code=status
    )


def headers() -> dict[str, str]:
    return HEADERS | {"Content-Language": visit.language()}


def _here(scope: Scope, chosen: Choice | None) -> str:
    """Returns the address of the page that the language switcher shows again. For a request that sends a form, this is
    the page of the rules, the synonyms or the quarantine."""
    name = scope["path"].removeprefix(PATH).removeprefix("/preview").strip("/").partition("/")[0]
    known = name if name in ("synonyms", "rules", "quarantine", "models") else ""
    return link(known, chosen.catalog) if chosen else address(f"{PATH}/{known}".rstrip("/"))


def link(name: str, catalog: str, **more: str) -> str:
    """Returns the address of a page for staff. `name` is the last part of its path, such as rules."""
    given = {"catalog": catalog, **more}
    query = "&".join(f"{key}={quote(value, safe='', errors='replace')}" for key, value in given.items())
    return visit.in_language(address(f"{PATH}/{name}".rstrip("/")) + "?" + query)


def done(name: str, catalog: str, what: str) -> Redirect:
    """Returns the answer to a form that was carried out. It leads to a page, so that a reload repeats nothing."""
    return Redirect(link(name, catalog, done=what), status_code=303, headers=HEADERS)


def show_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Show what is wrong. A request without a valid key gets the form that asks for a key."""
    problem, headers = problem_of(request, error)
    if problem.status == 401:  # no key, or the session has ended
        answer = page(request, "sign_in.html", status=401, ended=COOKIE in request.cookies)
    else:
        answer = page(request, "error.html", status=problem.status, problem=problem)
    headers.pop("WWW-Authenticate", None)  # with this header, a browser would ask for a password
    answer.headers.update(headers)
    return answer


def error_page(scope: Scope, problem: Problem) -> tuple[bytes, dict[str, str]] | None:
    """Returns the answer to a request for the page for staff that fails outside a route, for example because of the
    rate limit. Returns None for any other request."""
    if scope["path"] != PATH and not scope["path"].startswith(PATH + "/"):
        return None
    body = _TEMPLATES.get_template("error.html").render(
        chosen=None, key=None, said=None, link=link, here=_here(scope, None), problem=problem
    )
    return body.encode(), headers() | {"Content-Type": f"{MediaType.HTML.value}; charset=utf-8"}


async def own_forms_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Raises ApiError for a form that no page of this origin sent."""
    if connection.scope.get("method") != "GET" and not is_own_form(connection.headers):
        raise ApiError("origin", marked("Only this page itself can send its forms."))
