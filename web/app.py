"""Builds the ASGI application: the routes, inside the middleware for ids, deadlines, access and logs."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import structlog
from litestar import Litestar, Request, Response, Router
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.exceptions import HTTPException, NotFoundException
from litestar.types import HTTPScope, Scope
from litestar.utils import normalize_path
from sqlalchemy import Connection

from db import api_keys
from db.api_keys import ApiKey
from db.engine import Database
from db.errors import DatabaseUnreachable, SettingsError
from db.images.thumbnail_pool import ThumbnailPool
from web.api import events, health, images, products, search, waiting
from web.api.document import openapi
from web.api.v1 import catalogs as v1_catalogs
from web.api.v1 import export
from web.api.v1 import products as v1_products
from web.api.v1 import rules as v1_rules
from web.api.v1 import search as v1_search
from web.api.v1 import suggest as v1_suggest
from web.api.v1 import synonyms as v1_synonyms
from web.api.v1 import watches as v1_watches
from web.api.v1 import what_if as v1_what_if
from web.http import compression, problems
from web.http.access import Access, guard
from web.http.bodies import StrictRequest
from web.http.database import Pools
from web.http.idempotency import Idempotency
from web.http.key_uses import KeyUses
from web.http.limiter import ConcurrencyLimiter
from web.http.methods import check_request
from web.http.metrics import Metrics
from web.http.middleware import ErrorPage, RequestMiddleware
from web.http.problems import Problem
from web.http.standby import Standbys
from web.images.query_images import QueryImages
from web.images.thumbnails import Thumbnails
from web.images.uploads import Uploads
from web.page import rendering, results
from web.page import routes as page
from web.page.api_docs import api_docs
from web.page.brand import search_engines, visit
from web.page.brand.setup import make_site
from web.page.recording.recorder import Recorder
from web.page.staff import routes as staff
from web.page.staff import showing as staff_showing
from web.page.staff.sessions import StaffSessions
from web.page.static_files import static_file
from web.settings import WebSettings

if TYPE_CHECKING:
    from web.mcp.http import McpOverHttp

INSTALL_MCP = "Run: pip install 'windowshop[mcp]'"
PROBES = (health.health, health.ready)
# Version 1 has these routes. Each has an alias without /v1, which the OpenAPI document omits.
SHARED = (
    search.similar,
    search.facets,
    products.read_product,
    products.put_products,
    products.delete_product,
    events.record_events,
    images.image,
)
ONLY_V1 = (
    v1_search.search_products,
    v1_search.multi_search,
    v1_suggest.suggest,
    v1_products.patch_product,
    v1_products.delete_products,
    v1_products.read_encoding,
    export.export_products,
    v1_catalogs.list_catalogs,
    v1_catalogs.delete_catalog,
    v1_synonyms.list_synonyms,
    v1_synonyms.add_synonym,
    v1_synonyms.delete_synonym,
    v1_rules.list_rules,
    v1_rules.create_rule,
    v1_rules.read_rule,
    v1_rules.replace_rule,
    v1_rules.delete_rule,
    v1_rules.list_signals,
    v1_what_if.ask_what_if,
    v1_watches.create_watch,
    v1_watches.list_watches,
    v1_watches.delete_watch,
    v1_watches.list_matches,
)
# These routes have no alias below /v1, because version 1 has another request in their place.
UNVERSIONED = (search.search_text, search.search_image, search.search_image_file, search.search)
# Nearly every request for one of these paths needs a connection of the reading pool.
READING_PATHS = ("/search", "/facets", "/v1/search", "/v1/multi-search", "/v1/facets", "/v1/suggest", "/mcp")
# The headers of an answer that a page of another origin may read, besides those that every browser shows.
EXPOSED_HEADERS = [
    "X-Request-ID", "Retry-After", "RateLimit", "RateLimit-Policy", "ETag", "Allow", "Windowshop-Degraded",
    "Idempotency-Replayed",
]  # fmt: skip
MAX_FORM_PARTS = 20  # a multipart form may have at most this many parts


def make_app(database: Database, settings: WebSettings, metrics: Metrics) -> RequestMiddleware:
    """Returns the ASGI application. The application opens connections to the database when it first needs them, and
    closes them when the server stops."""
    pools = Pools(database, settings)
    thumbnail_pool = ThumbnailPool()
    staff_sessions = StaffSessions()
    access = _access(database, settings, pools, staff_sessions)
    public_catalogs = _public_catalogs(settings) if access.needs_keys else None
    if settings.public_page and public_catalogs == []:
        structlog.get_logger().warning("the page shows no catalog; WINDOWSHOP_WEB_PUBLIC_CATALOGS names its catalogs")
    state = State(
        {
            "settings": settings,
            "metrics": metrics,
            "pools": pools,
            "standbys": Standbys(pools, settings.max_lag_seconds) if pools.has_standby else None,
            "thumbnail_pool": thumbnail_pool,
            "thumbnails": Thumbnails(thumbnail_pool),
            "uploads": Uploads(),
            "query_images": QueryImages(settings),
            "access": access,
            "exports": export.limiter(settings.connections),
            "waiters": waiting.limiter(),
            "what_ifs": ConcurrencyLimiter(1, 2),  # a what-if request runs many searches on a writing connection
            "staff_sessions": staff_sessions,
            "staff_previews": ConcurrencyLimiter(1, 4),  # a preview runs many searches
            "stopping": asyncio.Event(),  # set when the server begins to stop
            "page_caches": results.Caches(),
            "recorder": Recorder(pools, metrics.page_events) if settings.record_events else None,
            # Catalogs that everybody may see; None stands for all catalogs.
            "public_catalogs": public_catalogs,
        }
    )
    _watch_pools(metrics, pools)
    if state.standbys is not None:
        metrics.watch_standbys(pools)

    def is_full(path: str) -> bool:
        return path.startswith(READING_PATHS) and pools.read_limiter.is_full

    site = make_site(settings)
    cors, mcp = _cors(settings), _mcp(settings)
    app = _litestar(state, settings, cors, mcp, site, needs_keys=access.needs_keys)
    return RequestMiddleware(
        app,
        settings,
        access,
        metrics,
        is_full,
        _error_page(settings),
        _route_of(app),
        cors,
        state.stopping,
        partial(visit.begin, site),
    )


def _cors(settings: WebSettings) -> CORSConfig | None:
    if not settings.cors_origins:
        return None
    return CORSConfig(allow_origins=settings.cors_origins, expose_headers=EXPOSED_HEADERS, max_age=3600)


def _mcp(settings: WebSettings) -> "McpOverHttp | None":
    if settings.mcp == "off" or (settings.mcp == "auto" and find_spec("mcp") is None):
        return None
    try:
        from web.mcp.http import McpOverHttp
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"WINDOWSHOP_WEB_MCP is on, but the package {error.name} is not installed", hint=INSTALL_MCP
        ) from error
    return McpOverHttp(settings)


def _public_catalogs(settings: WebSettings) -> list[str] | None:
    return None if "*" in settings.public_catalogs else settings.public_catalogs


def _access(database: Database, settings: WebSettings, pools: Pools, staff_sessions: StaffSessions) -> Access:
    is_local = database.is_embedded and settings.is_local
    needs_keys = settings.api_keys == "on" or (settings.api_keys == "auto" and not is_local)

    uses = KeyUses(pools)

    async def find_key(token: str) -> ApiKey | None:
        def call(conn: Connection) -> ApiKey | None:
            return api_keys.find(conn, token)

        try:
            key = await pools.probe(call)
        except (DatabaseUnreachable, TimeoutError):
            key = await pools.probe(call, "primary")
        if key is not None:
            uses.record(token)
        return key

    return Access(
        settings,
        needs_keys=needs_keys,
        loopback_only=not needs_keys,
        find_key=find_key,
        session_token=staff_sessions.token_of,
    )


def _route_of(app: Litestar) -> Callable[[HTTPScope], str | None]:
    """Returns a function that finds the route of a request that is refused before the application routes it."""

    def route_of(scope: HTTPScope) -> str | None:
        try:
            return app.asgi_router.handle_routing(path=normalize_path(scope["path"]), method=scope["method"])[-1]
        except HTTPException:
            return None

    return route_of


def _litestar(
    state: State,
    settings: WebSettings,
    cors: CORSConfig | None,
    mcp: "McpOverHttp | None",
    site: visit.Site,
    *,
    needs_keys: bool,
) -> Litestar:
    # Litestar tries to import this plugin, and with it OpenTelemetry, even if the site records no traces. The plugin is
    # not needed: db/tracing.py records traces without it.
    sys.modules.setdefault("litestar.plugins.opentelemetry", None)  # type: ignore[arg-type]  # None forbids the import; typeshed expects a module
    return Litestar(
        (
            Router("/v1", route_handlers=[*ONLY_V1, *SHARED]),
            Router("/", route_handlers=SHARED, include_in_schema=False),
            *UNVERSIONED,
            *PROBES,
            api_docs,
            *(() if settings.public_page else (static_file,)),  # the page /docs of the API needs its stylesheet
            *((*page.ROUTES, *search_engines.ROUTES) if settings.public_page else ()),
            *((staff.ROUTER,) if settings.staff_page else ()),
            *([mcp.route] if mcp else ()),
        ),
        state=state,
        lifespan=[_lifespan, *([mcp.running] if mcp else ()), *([state.recorder.running] if state.recorder else ())],
        # If a route has a guard, Litestar copies the route handler for each request. Without keys, no guard is needed.
        guards=[guard] if needs_keys else [],
        before_request=check_request,
        middleware=[Idempotency()],
        request_class=StrictRequest,
        exception_handlers={Exception: problems.handle_exception, NotFoundException: _no_route(_error_page(settings))},
        request_max_body_size=settings.max_body_bytes,
        multipart_form_part_limit=MAX_FORM_PARTS,
        template_config=rendering.config(site.templates or rendering.TEMPLATES),
        openapi_config=openapi(),
        compression_config=compression.CONFIG,
        cors_config=cors,
        logging_config=None,
        debug=False,
    )


@asynccontextmanager
async def _lifespan(app: Litestar) -> AsyncIterator[None]:
    state = app.state
    state.metrics.watch_encoder(_encoder_reader(state))
    watch = asyncio.ensure_future(state.standbys.watch()) if state.standbys else None
    try:
        yield
    finally:
        if watch is not None:
            watch.cancel()
        await asyncio.shield(asyncio.to_thread(state.thumbnail_pool.close))
        await asyncio.shield(asyncio.to_thread(state.uploads.close))
        await asyncio.shield(asyncio.to_thread(state.query_images.close))
        await asyncio.shield(state.pools.close())


def _encoder_reader(state: State) -> Callable[[], health.Encoder | None]:
    """Returns a function for Prometheus's threads that reads the encoder's state in the service's event loop."""
    loop = asyncio.get_running_loop()

    def read() -> health.Encoder | None:
        try:
            return asyncio.run_coroutine_threadsafe(health.encoder(state), loop).result(3)
        except (TimeoutError, RuntimeError, CancelledError):  # the event loop is busy or has ended
            return None

    return read


def _watch_pools(metrics: Metrics, pools: Pools) -> None:
    reads, writes = pools.read_limiter, pools.write_limiter
    metrics.connections.labels("read").set_function(lambda: reads.active)
    metrics.connections.labels("write").set_function(lambda: writes.active)
    metrics.waiting.labels("read").set_function(lambda: reads.waiting)
    metrics.waiting.labels("write").set_function(lambda: writes.waiting)


def _no_route(error_page: ErrorPage) -> Callable[[Request[Any, Any, Any], Exception], Response[Any]]:
    """Returns the handler of a request whose address has no route. A browser gets a page, and a program gets a
    problem."""

    def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        problem, headers = problems.problem_of(request, error)
        page = error_page(request.scope, problem)
        if page is None:
            return problems.handle_exception(request, error)
        body, more = page
        return Response(body, status_code=problem.status, headers=headers | more)

    return answer


def _error_page(settings: WebSettings) -> ErrorPage:
    """Returns a function that asks the search page and the staff page, if they are on, for an error page."""
    pages: list[ErrorPage] = []
    if settings.public_page:
        pages.append(rendering.error_page)
    if settings.staff_page:
        pages.append(staff_showing.error_page)

    def error_page(scope: Scope, problem: Problem) -> tuple[bytes, dict[str, str]] | None:
        return next((found for one in pages if (found := one(scope, problem))), None)

    return error_page
