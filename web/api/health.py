"""Defines the probes: whether this process is alive, and whether it is ready for requests. A process without a running
encoder is ready too."""

from typing import Any

import msgspec
from litestar import Response, get
from litestar.datastructures import State
from sqlalchemy import Connection, text

from db import schema
from db.errors import WindowshopError
from db.lifecycle import gateway
from web.api.examples import HEALTH, READY
from web.api.openapi import answers
from web.http.problems import ApiError

_NO_STORE = {"Cache-Control": "no-store"}
_ENCODER = text("select * from shop_private.encoder_state()")


class Health(msgspec.Struct):
    status: str


class Encoder(msgspec.Struct):
    """The state of the serving model's encoder. Each count stops at 10,000, so 10,000 means 10,000 or more."""

    model: str
    running: bool
    waiting_queries: int
    waiting_items: int
    quarantined_items: int


class Ready(msgspec.Struct):
    """`encoder` is null when no model serves, or when the primary database does not answer. `is_copy` means that the
    database was restored from a dump and cannot encode new queries before "windowshop db upgrade"."""

    status: str
    revision: str
    encoder: Encoder | None
    is_copy: bool


@get("/health", tags=["Probes"], responses=answers(Health, HEALTH))
async def health() -> Response[Health]:
    """Answers while this process is alive."""
    return Response(Health("alive"), headers=_NO_STORE)


@get("/ready", tags=["Probes"], responses=answers(Ready, READY, "database-unavailable"))
async def ready(state: State) -> Response[Ready]:
    """Answers 200 while the database answers and the version of its schema fits this release."""

    def call(conn: Connection) -> bool:
        schema.check(conn)
        return gateway.is_elsewhere(conn)

    try:
        is_copy = await state.pools.probe(call, primary=False)
    except (WindowshopError, TimeoutError) as error:
        detail = "The database does not answer, or its schema does not fit this release."
        raise ApiError("database-unavailable", detail) from error
    return Response(Ready("ready", schema.HEAD, await encoder(state), is_copy), headers=_NO_STORE)


async def encoder(state: State) -> Encoder | None:
    """Returns the state of the encoder, or None when no model serves or the primary database does not answer."""

    def call(conn: Connection) -> Any:
        return conn.execute(_ENCODER).one_or_none()

    try:
        row = await state.pools.probe(call, primary=True)
    except (WindowshopError, TimeoutError):
        return None
    return None if row is None else Encoder(*row)
