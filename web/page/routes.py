"""The search page: one address for every state of it, as a whole page or, to htmx, as the part that changes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Request, Response, get, post
from litestar.datastructures import State, UploadFile
from litestar.params import PathParameter
from litestar.plugins.htmx import HTMXTemplate
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template.config import TemplateConfig
from litestar.types import Scope
from sqlalchemy import Connection

from db.search import ranking
from db.search.ranking import BrowseItem, SearchHit, SearchParams, SearchResult
from web.api import search
from web.api.schemas import FacetOf
from web.http.context import context_of
from web.http.problems import ApiError, Problem, problem_of
from web.images.uploads import Uploads
from web.page import state as page_state
from web.page import static_files
from web.page import view as page_view
from web.page.state import FIELDS, PageState

PAGE = 24  # products at a time: whole rows of 2, 3, 4 and 6
_COUNTED = [*FIELDS, "price", "currency"]  # by the last no visitor chooses: it tells the sum
HEADERS = {
    # Its own files only, nothing inline; the pictures of other shops' feeds by https.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' https:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",  # the same address is a page and a part of one
    "Vary": "HX-Request",
}
TEMPLATES = Environment(
    loader=PackageLoader("web.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
TEMPLATES.globals["asset"] = static_files.address
CONFIG = TemplateConfig(instance=JinjaTemplateEngine.from_environment(TEMPLATES))
HTMX = msgspec.json.encode(
    {
        "allowEval": False,
        "allowScriptTags": False,
        "includeIndicatorStyles": False,
        "historyCacheSize": 0,  # the server knows every state by its address
        "historyRestoreAsHxRequest": False,
        "scrollIntoViewOnBoost": False,
        "responseHandling": [{"code": "204", "swap": False}, {"code": "[45]..", "swap": True, "error": True},
                             {"code": "...", "swap": True}],
    }
).decode()  # fmt: skip
TEMPLATES.globals["htmx_config"] = HTMX


@dataclass(frozen=True, slots=True)
class Found:
    products: Sequence[SearchHit | BrowseItem]
    ranking: SearchResult | None
    facets: list[FacetOf]
    examples: dict[str, BrowseItem]
    seconds: float

    @property
    def cursor(self) -> str:
        """Of the next page; empty on the last."""
        if len(self.products) < PAGE:
            return ""
        last = self.products[-1]
        return last.cursor if isinstance(last, SearchHit) else str(last.product_id)


def failed(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """What went wrong, as a visitor can understand it, where the results would have been."""
    problem, headers = problem_of(request, error)
    state = page_state.read(request.query_params.multi_items())
    return HTMXTemplate(
        template_name="part.html" if _is_htmx(request) else "page.html",
        context=_context(state, None, problem=problem),
        status_code=problem.status,
        headers=HEADERS | headers,
        re_target="#found",  # where more results would have been added, too
        re_swap="outerHTML",
    )


@get("/", include_in_schema=False, exception_handlers={Exception: failed})
async def page(request: Request[Any, Any, Any], state: State) -> HTMXTemplate:
    wanted = page_state.read(request.query_params.multi_items())
    uploads: Uploads = state.uploads
    picture = uploads.get(wanted.picture) if wanted.picture else None
    if wanted.picture and picture is None:
        remark = "The picture is not here any more. Drop it again to search with it."
        wanted = wanted.but(picture="", remarks=(*wanted.remarks, remark))
    context_of(request.scope).query_text = wanted.q or None
    more = bool(wanted.after) and _is_htmx(request)
    found: Found = await state.pools.read(
        request, lambda conn: _look(conn, wanted, picture, state.facet_cache, counting=not more)
    )
    if found.ranking is not None:
        search.note(state, "page", found.ranking, PAGE, found.seconds)
    template = "more.html" if more else "part.html" if _is_htmx(request) else "page.html"
    return HTMXTemplate(
        template_name=template,
        context=_context(wanted, found),
        headers=HEADERS,
        push_url=wanted.address() if template == "part.html" else None,
    )


class FacetCache:
    """Facets, remembered for a few seconds: they do not depend on the words, so typing counts once."""

    def __init__(self, seconds: float = 5, most: int = 100) -> None:
        self._known: dict[tuple[str | None, str], tuple[float, list[FacetOf]]] = {}
        self._seconds, self._most = seconds, most

    def of(self, conn: Connection, filter_: str | None, catalog: str) -> list[FacetOf]:
        until, facets = self._known.get((filter_, catalog), (0.0, []))
        if time.monotonic() < until:
            return facets
        facets = search.by_field(ranking.facets(conn, filter_, _COUNTED, catalog, 20, 12))
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[filter_, catalog] = time.monotonic() + self._seconds, facets
        return facets


def _look(conn: Connection, wanted: PageState, picture: bytes | None, counts: FacetCache, *, counting: bool) -> Found:
    asked = SearchParams(
        query=wanted.q or None,
        image=picture,
        inputs=wanted.inputs,
        filter=wanted.filter,
        k=PAGE,
        catalog=wanted.catalog,
        after=wanted.after or None,
        degrade=bool(wanted.q),
    )
    began = time.perf_counter()
    ranked = ranking.search(conn, asked) if wanted.asks else None
    seconds = time.perf_counter() - began
    products = ranking.browse(conn, asked) if ranked is None else ranked.rows
    facets, examples = [], {}
    if counting:
        facets = counts.of(conn, wanted.filter, wanted.catalog)
        if skus := [*wanted.like, *wanted.unlike]:
            named = SearchParams(
                filter=msgspec.json.encode({"sku": skus}).decode(), k=len(skus), catalog=wanted.catalog
            )
            examples = {product.sku: product for product in ranking.browse(conn, named)}
    return Found(products, ranked, facets, examples, seconds)


def _context(state: PageState, found: Found | None, *, problem: Problem | None = None) -> dict[str, Any]:
    facets = found.facets if found else []
    currency = page_view.the_currency(facets)
    return {
        "state": state,
        "cards": page_view.cards(state, found.products) if found else [],
        "chips": page_view.chips(state, found.examples if found else {}, currency),
        "groups": page_view.groups(state, facets),
        "prices": page_view.prices(state, facets, currency),
        "count": _count(found, state) if found else "",
        "narrowing": sum(len(values) for values in state.chosen.values())
        + (state.price_min is not None or state.price_max is not None),
        "more": state.but(after=found.cursor).address() if found and found.cursor else None,
        "again": state.but().address() if state.after or (problem and problem.status >= 429) else "/",
        "unfiltered": state.but(chosen={}, price_min=None, price_max=None).address() if state.filter else None,
        "clear": PageState(q=state.q, catalog=state.catalog).address(),
        "degraded": found is not None and found.ranking is not None and found.ranking.degraded,
        "reason": found.ranking.reason if found and found.ranking else None,
        "problem": problem,
        "sorry": page_view.sorry(problem) if problem else None,
    }


def _count(found: Found, state: PageState) -> str:
    if not found.products:
        return "No products"
    first = found.products[0]
    total, kind = page_view.counted(found.facets), "exact"
    if found.ranking and found.ranking.degraded and found.cursor:
        return "Products with these words, best first"
    if not found.cursor and not state.after:
        total = len(found.products)
    elif isinstance(first, SearchHit) and (first.total_is == "exact" or not total):
        total, kind = first.total, first.total_is
    elif not all(facet.exact for facet in found.facets):
        kind = "about"
    said = {"about": "About ", "at least": "More than "}.get(kind, "")
    return f"{said}{total:,} {'product' if total == 1 else 'products'}{', best first' if found.ranking else ''}"


def not_taken(request: Request[Any, Any, Any], error: Exception) -> HTMXTemplate:
    """Why a picture was not taken, above the results, which stay."""
    problem, headers = problem_of(request, error)
    return HTMXTemplate(
        template_name="notice.html",
        context={"problem": problem, "sorry": page_view.sorry(problem)},
        status_code=problem.status,
        headers=HEADERS | headers,
        re_target="#notice",
        re_swap="innerHTML",
    )


@post("/picture", include_in_schema=False, status_code=200, exception_handlers={Exception: not_taken})
async def upload(request: Request[Any, Any, Any], state: State) -> HTMXTemplate:
    """Keep a picture to search by. Its name goes into the search box's form, which then searches."""
    if not _is_htmx(request):  # a header that pages of other origins cannot send unasked
        raise ApiError("malformed", "Pictures are taken from this page itself.")
    if request.content_type[0] != "multipart/form-data":
        raise ApiError("media-type", "Send a form with a part named image.")
    given = (await request.form()).get("image")
    if not isinstance(given, UploadFile):
        raise ApiError("invalid", "There is no picture in the form.")
    name = await state.uploads.keep(await given.read())
    return HTMXTemplate(
        template_name="picture.html",
        context={"picture": name},
        headers=HEADERS,
        trigger_event="picture",
        after="settle",
        params={},
    )


@get("/picture/{name:str}", include_in_schema=False)
async def uploaded(state: State, name: Annotated[str, PathParameter()]) -> Response[bytes]:
    """An uploaded picture, as small as it is kept."""
    picture = state.uploads.get(name)
    if picture is None:
        raise ApiError("not-found", "This picture is not here any more.")
    headers = {"Cache-Control": "private, max-age=86400, immutable", "Content-Security-Policy": "sandbox"}
    return Response(picture, media_type="image/webp", headers=headers)


def error_page(scope: Scope, problem: Problem) -> tuple[bytes, dict[str, str]] | None:
    """The page for a browser that is refused before any route is asked; None for everybody else."""
    accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    if scope["path"] != "/" or b"text/html" not in accept:
        return None
    body = TEMPLATES.get_template("page.html").render(_context(PageState(), None, problem=problem))
    return body.encode(), HEADERS | {"Content-Type": f"{MediaType.HTML}; charset=utf-8"}


def _is_htmx(request: Request[Any, Any, Any]) -> bool:
    return request.headers.get("hx-request") == "true"


ROUTES = (page, upload, uploaded, static_files.static_file)
