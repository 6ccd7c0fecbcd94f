"""Sets up the templates and their variables, and defines the headers of the shop's pages."""

import hashlib
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Request, Response
from litestar.datastructures import Headers
from litestar.plugins.htmx import HTMXTemplate
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template.config import TemplateConfig
from litestar.types import Scope

from db.images.formats import MEDIA_TYPES, SUFFIXES
from web.http.addresses import address
from web.http.problems import ApiError, Problem, problem_of
from web.page import errors, filters, static_files
from web.page import state as page_state
from web.page.brand import language_links, languages, script_texts, visit
from web.page.cards import cards, image_address, product_address
from web.page.chips import chips
from web.page.images.photo import hidden, photo
from web.page.prices import currency_of, prices
from web.page.reasons import nothing
from web.page.results import PageResult
from web.page.start import Start
from web.page.state import MAX_SHOWN, PAGE, PageState

MOST_PARAMETERS = 20_000  # bytes of the parameters of an address
HEADERS = {
    # The page loads only its own files and images of any host by https. Inline scripts and styles are blocked.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' https:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",  # one address serves the whole page to a browser, and a part of the page to htmx
    "Vary": "HX-Request, Accept-Language",
    "Windowshop-Page": "1",  # page.js shows only answers with this header; a proxy's error page lacks it
}
HTMX = msgspec.json.encode(
    {
        "allowEval": False,
        "allowScriptTags": False,
        "includeIndicatorStyles": False,
        "historyCacheSize": 0,  # no copies of pages in htmx, because the server renders each page from its address
        "historyRestoreAsHxRequest": False,
        "scrollIntoViewOnBoost": False,
        "responseHandling": [{"code": "204", "swap": False}, {"code": "[45]..", "swap": True, "error": True},
                             {"code": "...", "swap": True}],
    }
).decode()  # fmt: skip
TEMPLATES = Environment(
    loader=PackageLoader("web.page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    extensions=["jinja2.ext.i18n"],
)
TEMPLATES.globals["asset"] = static_files.asset
TEMPLATES.globals["address"] = address
TEMPLATES.globals["absolute"] = visit.absolute
TEMPLATES.globals["shop"] = visit.theme
TEMPLATES.globals["htmx_config"] = HTMX
TEMPLATES.globals |= {
    "language": visit.language,
    "direction": visit.direction,
    "chosen_language": visit.chosen_language,
    "in_language": visit.in_language,
    "number": languages.number,
    "script_texts": script_texts.as_json,
    "language_links": language_links.language_links,
    "alternates": language_links.alternates,
    "indexed": language_links.indexed,
}
TEMPLATES.install_gettext_callables(languages.gettext, languages.ngettext, newstyle=True)  # type: ignore[attr-defined]  # the extension i18n adds this method
TEMPLATES.globals["image_types"] = ",".join((*MEDIA_TYPES, *sorted(SUFFIXES)))


def config(templates: Environment) -> TemplateConfig[JinjaTemplateEngine]:
    return TemplateConfig(instance=JinjaTemplateEngine.from_environment(templates))


def page_headers() -> dict[str, str]:
    """Returns the headers of the pages of the current site."""
    policy = HEADERS["Content-Security-Policy"]
    return HEADERS | {
        "Content-Security-Policy": f"{policy}; frame-ancestors {visit.site().frame_ancestors}",
        "Content-Language": visit.language(),
    }


def unchanged_or(request: Request[Any, Any, Any], template: str, variables: dict[str, Any]) -> Response[str]:
    """Returns a page, or only its headers if the client has the same page already. A client may keep the page, but asks
    before each use whether it has changed."""
    body = (visit.site().templates or TEMPLATES).get_template(template).render(variables | {"request": request})
    tag = f'"{hashlib.sha256(body.encode("utf-8", "replace")).hexdigest()[:20]}"'
    headers = page_headers() | {"Cache-Control": "private, no-cache", "ETag": f"W/{tag}"}
    if tag in request.headers.get("if-none-match", ""):
        return Response("", status_code=304, headers=headers)
    return Response(body, media_type=MediaType.HTML, headers=headers)


def context(
    state: PageState,
    result: PageResult | None,
    *,
    problem: Problem | None = None,
    failed: str | None = None,
    origin: str = "",
    uploaded: bytes | None = None,
) -> dict[str, Any]:
    """Returns the variables of the templates. At most one of `result` and `problem` is given. `failed` is the address
    that has the problem, by default the address of `state`. `origin` is the id of a search that is recorded.
    `uploaded` is the image that `state` names."""
    facets = result.facets if result else []
    currency = currency_of(state, facets)
    can_retry = problem is not None and problem.status >= 429
    return hidden(state) | {
        "state": state,
        "here": failed or state.address(),
        "photo": photo(state, uploaded),
        "cards": cards(state, result.products, result.offers, result.words, origin) if result else [],
        "chips": chips(state, result.examples if result else {}, currency),
        "groups": filters.groups(state, facets),
        "prices": prices(state, facets, currency),
        "heading": result.heading(state) if result else "",
        "heading_variants": result.variants(state) if result else "",
        "active_filters": state.active_filters,
        "more": _more(state, result),
        "again": (failed or state.but().address()) if state.after or can_retry else visit.in_language(address("/")),
        "unfiltered": state.but(chosen={}, price_min=None, price_max=None).address() if state.filter else None,
        "corrected": result.search.corrected if result is not None and result.search else None,
        "upload": state.but(image="", box=None).address("/picture"),
        "as_typed": state.but(correct=False).address(),
        "uncut": state.but(cut=None, sort="").address() if state.is_search and state.cut else None,
        "clear": PageState(q=state.q, catalog=state.catalog, sort=state.sort).address(),
        "degraded": result is not None and result.is_degraded,
        "reason": nothing(result.search.reason) if result and result.search else None,
        "banner": result.search.banner if result and result.search else None,
        "redirect": _redirect(result),
        "categories": _categories(state, result.start) if result else [],
        "queries": [(query, state.but(q=query).address()) for query in result.start.queries] if result else [],
        "problem": problem,
        "message": errors.message_of(problem) if problem else None,
    }


def _more(state: PageState, result: PageResult | None) -> str | None:
    """Returns the address of the next page. The address has the number of products that are shown so far. It lacks this
    number if this page was opened by a link to a later page."""
    if result is None or not result.cursor:
        return None
    shown = state.shown or (0 if state.after else PAGE)  # unknown after a link to a later page
    if state.after and shown:
        shown = min(shown + PAGE, MAX_SHOWN)
    return state.but(after=result.cursor, shown=shown).address()


def _redirect(result: PageResult | None) -> str | None:
    """Returns the address to which a rule of the shop sends the search, or None.

    The page shows it as a link. A redirect would interrupt a visitor who is still typing, and "back" would lead to the
    redirect again.
    """
    found = result.search.redirect if result and result.search else None
    return found if found and found.startswith(("http://", "https://", "/")) else None


def _categories(state: PageState, start: Start) -> list[tuple[str, str, str | None]]:
    """Returns the name, the address and the image of each category."""
    return [
        (one.name, state.with_values("product_type", [one.name]).address(), image_address(one.product))
        for one in start.categories
    ]


def is_htmx(request: Request[Any, Any, Any]) -> bool:
    return request.headers.get("hx-request") == "true"


def wanted_by(request: Request[Any, Any, Any]) -> PageState:
    """Returns the state that the address of a request names. Raises ApiError for an address that is too long, because
    nearly every link of the page would repeat the parameters of this address."""
    if _is_long(request.scope):
        raise ApiError("malformed", f"The parameters of the address have more than {MOST_PARAMETERS:,} bytes.")
    return page_state.read(request.query_params.multi_items())


def _is_long(scope: Scope) -> bool:
    return len(scope["query_string"]) > MOST_PARAMETERS


def is_own_form(headers: Headers) -> bool:
    """Returns whether a page of this origin sent a form.

    Browsers say in Sec-Fetch-Site where a request comes from, and over plain HTTP only in Origin. Pages cannot set
    these two headers.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin", "")
    return site == "same-origin" if site else origin.partition("://")[1:] == ("://", headers.get("host"))


def show_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Show a message to the visitor in place of the results."""
    problem, headers = problem_of(request, error)
    pairs = [] if _is_long(request.scope) else list(request.query_params.multi_items())
    state = page_state.read(pairs)
    uploaded = request.app.state.uploads.get(state.image) if state.image else None
    variables = context(state, None, problem=problem, failed=_view(request.scope["path"], pairs), uploaded=uploaded)
    return HTMXTemplate(
        template_name="part.html" if is_htmx(request) else "page.html",
        context=variables,
        status_code=problem.status,
        headers=page_headers() | headers,
        re_target="#results",  # an error replaces all results, also after a request for more results
        re_swap="outerHTML",
    )


def error_page(scope: Scope, problem: Problem) -> tuple[bytes, dict[str, str]] | None:
    """Returns the error page for a request that fails outside a route, if a browser requested a page of the shop or an
    address without a route. Returns None for all other requests."""
    accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    is_page = scope["path"] in ("/", "/product", "/picture") or (
        problem.status == 404 and not scope["path"].startswith("/v1")
    )
    if not is_page or b"text/html" not in accept:
        return None
    # The answer shows the query, and its link "Try again" leads to the same search or product.
    pairs = [] if _is_long(scope) else parse_qsl(scope["query_string"].decode("latin-1"), errors="replace")
    variables = context(page_state.read(pairs), None, problem=problem, failed=_view(scope["path"], pairs))
    body = (visit.site().templates or TEMPLATES).get_template("page.html").render(variables)
    return body.encode(), page_headers() | {"Content-Type": f"{MediaType.HTML.value}; charset=utf-8"}


def _view(path: str, pairs: Iterable[tuple[str, str]]) -> str | None:
    """Returns the address of the product's view that the request asks for. Returns None for other requests."""
    given = dict(pairs)
    return product_address(given.get("sku", ""), given.get("catalog", "")) if path == "/product" else None
