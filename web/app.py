"""The application: routes on one database, inside the service that bounds them."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.types import ASGIApp, Scope

from db import api_keys
from db.api_keys import ApiKey
from db.engine import Database
from web.api import events, health, images, products, search
from web.api.openapi import openapi
from web.http import problems
from web.http.access import Access, guard
from web.http.bodies import StrictRequest
from web.http.database import ConcurrencyLimiter, Pools
from web.http.metrics import Metrics
from web.http.middleware import Service
from web.http.problems import Problem
from web.images.uploads import Uploads
from web.page import routes as pages
from web.settings import WebSettings

ROUTES = (
    search.search_text,
    search.search_image,
    search.search,
    search.similar,
    search.facets,
    products.read_product,
    products.put_products,
    products.delete_product,
    events.record_events,
    images.image,
    health.health,
    health.ready,
)
SEARCHES = ("/search", "/facets")  # read the database whatever else they do
MAX_PARTS = 20  # of a form


def make_app(database: Database, settings: WebSettings, metrics: Metrics) -> Service:
    """The ASGI application. It opens its connections when the server starts it and closes them at the end."""
    at_home = settings.api_keys == "auto" and database.is_embedded and settings.is_loopback
    needs_keys = settings.api_keys == "on" or (settings.api_keys == "auto" and not at_home)
    state = State(
        {
            "settings": settings,
            "metrics": metrics,
            "thumbnails": images.Thumbnails(),
            "uploads": Uploads(),
            "counts": pages.Counts(),
        }
    )

    async def find(token: str) -> ApiKey | None:
        found: ApiKey | None = await state.pools.probe(lambda conn: api_keys.use(conn, token), primary=True)
        return found

    access = state.access = Access(settings, needs_keys=needs_keys, at_home=at_home, find=find)

    @asynccontextmanager
    async def pools(app: Litestar) -> AsyncIterator[None]:
        state_of_app: Any = app.state
        state.pools = state_of_app.pools = Pools(database, settings)
        _watch(metrics, "read", state.pools.reading_door)
        _watch(metrics, "write", state.pools.writing_door)
        _watch_encoder(metrics, state)
        try:
            yield
        finally:
            await asyncio.shield(state.pools.close())

    app: ASGIApp = Litestar(
        (*ROUTES, *(pages.ROUTES if settings.public_page else ())),
        state=state,
        lifespan=[pools],
        guards=[guard] if needs_keys else [],  # Litestar copies a route to ask them
        request_class=StrictRequest,
        exception_handlers={Exception: problems.answer},
        request_max_body_size=settings.max_body_bytes,
        multipart_form_part_limit=MAX_PARTS,
        template_config=pages.CONFIG,
        openapi_config=openapi(),
        cors_config=CORSConfig(allow_origins=settings.cors_origins, max_age=3600) if settings.cors_origins else None,
        logging_config=None,
        debug=False,
    )

    def is_full(path: str) -> bool:
        return path.startswith(SEARCHES) and state.pools.reading_door.is_full

    show_page = pages.refused_page if settings.public_page else _no_page
    return Service(app, settings, access, metrics, is_full, show_page)


def _no_page(scope: Scope, problem: Problem) -> None:
    return None


def _watch(metrics: Metrics, pool: str, door: ConcurrencyLimiter) -> None:
    metrics.connections.labels(pool).set_function(lambda: door.inside)
    metrics.waiting.labels(pool).set_function(lambda: door.waiting)


def _watch_encoder(metrics: Metrics, state: State) -> None:
    """Metrics are read in other threads; the database is asked in the service's own."""
    loop = asyncio.get_running_loop()

    def ask() -> health.Encoder | None:
        try:
            return asyncio.run_coroutine_threadsafe(health.encoder(state), loop).result(3)
        except (TimeoutError, RuntimeError, CancelledError):  # busy, or at its end
            return None

    metrics.watch_encoder(ask)
