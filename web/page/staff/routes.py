"""Signs staff in and out, shows the queries to improve, the quarantine and the models, and retries products."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.response import Redirect
from sqlalchemy import Connection

from db.lifecycle import serving
from db.search import queries
from db.work import encoding, items
from web.api import health
from web.http.addresses import address
from web.http.context import context_of
from web.http.problems import ApiError, problem_of
from web.page.brand import visit
from web.page.brand.languages import marked
from web.page.staff import editing
from web.page.staff.forms import fields
from web.page.staff.sessions import PATH, cookie
from web.page.staff.showing import HEADERS, choice, done, own_forms_only, page, show_error

_ROWS = 50
_QUARANTINED = 200
ADMIN: dict[str, Any] = {"scope": "admin"}


@post("/sign-in", status_code=200)
async def sign_in(request: Request[Any, Any, Any], state: State) -> Response[Any]:
    """Begin a session that acts with the API key of the form."""
    token = (await fields(request)).get("key", "").strip()
    key = await state.access.key_of(token)
    try:
        if key is None:
            raise ApiError("key-missing", marked("This API key is unknown or revoked."))
        if not key.allows("admin"):
            raise ApiError("key-scope", marked("This page needs a key of scope admin."))
    except ApiError as error:
        problem, _ = problem_of(request, error)
        return page(request, "sign_in.html", status=problem.status, problem=problem, ended=False)
    context_of(request.scope).api_key = key  # for the log
    state.staff_sessions.end(request.scope)
    name = state.staff_sessions.begin(token)
    return Redirect(
        visit.in_language(address(PATH)), status_code=303, headers=HEADERS, cookies=[cookie(request.scope, name)]
    )


@post("/sign-out", status_code=200)
async def sign_out(request: Request[Any, Any, Any], state: State) -> Redirect:
    state.staff_sessions.end(request.scope)
    return Redirect(
        visit.in_language(address(PATH)), status_code=303, headers=HEADERS, cookies=[cookie(request.scope, "")]
    )


@get("/", opt=ADMIN)
async def show_queries(request: Request[Any, Any, Any], state: State) -> Response[bytes]:
    chosen = await choice(request, state, request.query_params.get("catalog", ""))

    def read(conn: Connection) -> dict[str, Any]:
        return {
            "without_result": queries.without_result(conn, chosen.catalog, _ROWS),
            "few_clicks": queries.with_few_clicks(conn, chosen.catalog, _ROWS),
            # These texts are of all catalogs.
            "popular": queries.popular(conn, _ROWS) if chosen.sees_every_catalog else [],
        }

    # Only the writing role may read the texts of all shoppers, and the service uses this role only on the primary.
    if not state.pools.primary_answers:
        raise ApiError("database-unavailable")
    found = await state.pools.read(request, read, primary=True)
    return page(request, "queries.html", chosen, bounds=queries, **found)


@get("/quarantine", opt=ADMIN)
async def show_quarantine(request: Request[Any, Any, Any], state: State) -> Response[bytes]:
    chosen = await choice(request, state, request.query_params.get("catalog", ""))
    parts = await state.pools.read(
        request, lambda conn: encoding.quarantined(conn, chosen.catalog, _QUARANTINED + 1), primary=True
    )
    more = len(parts) > _QUARANTINED
    return page(request, "quarantine.html", chosen, parts=parts[:_QUARANTINED], more=more)


@post("/quarantine/retry", opt=ADMIN, status_code=200)
async def retry(request: Request[Any, Any, Any], state: State) -> Redirect:
    """Let the encoder try a quarantined product again. Without `sku`, let it try each quarantined product of the
    catalog again."""
    form = await fields(request)
    chosen = await choice(request, state, form.get("catalog", ""))
    sku = form.get("sku") or None

    def again(conn: Connection) -> None:
        tried = sum(items.retry(conn, model.model_id, chosen.catalog, sku=sku) for model in items.models(conn))
        if sku and not tried:
            raise ApiError("not-found", marked("This product is not in quarantine any more."))

    await state.pools.write(request, again)
    return done("quarantine", chosen.catalog, "retry-one" if sku else "retry")


@get("/models", opt=ADMIN)
async def show_models(request: Request[Any, Any, Any], state: State) -> Response[bytes]:
    chosen = await choice(request, state, request.query_params.get("catalog", ""))

    def read(conn: Connection) -> dict[str, Any]:
        covered = [row for row in serving.coverage(conn) if row.catalog in chosen.catalogs]
        return {"models": serving.every_model(conn), "coverage": covered}

    found = await state.pools.read(request, read)
    return page(request, "models.html", chosen, encoder=await health.encoder(state), **found)


ROUTER = Router(
    PATH,
    route_handlers=[
        sign_in,
        sign_out,
        show_queries,
        show_quarantine,
        retry,
        show_models,
        *editing.ROUTES,
    ],
    guards=[own_forms_only],
    exception_handlers={Exception: show_error},
    include_in_schema=False,
)
