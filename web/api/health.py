"""Defines the probes: whether this process is alive, and whether it is ready for requests. A process without a running
encoder is ready too."""

import asyncio
from typing import Any, Literal

import msgspec
from litestar import Response, get
from litestar.datastructures import State
from sqlalchemy import Connection, text

from db import schema
from db.errors import SchemaMismatch, WindowshopError
from db.lifecycle import gateway
from web.api.openapi import PROBE, answers
from web.http.problems import ApiError

_NO_STORE = {"Cache-Control": "no-store"}
_ENCODER = text("select * from shop_private.encoder_reached()")
_IS_STANDBY = text("select pg_is_in_recovery()")


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
    """`status` is "behind" while the schema is newer than this process's release but still serves that release.
    `revision` is the revision of the schema. `primary` tells whether writes are possible. `encoder` is null when no
    model serves, or when a search cannot reach the primary database. `reads` and `lag_seconds` describe a site with
    standbys; the lag is null while it is unknown. `is_copy` means that the database was restored from a dump and cannot
    encode new queries before "windowshop db upgrade"."""

    status: Literal["ready", "behind"]
    revision: str
    primary: bool
    reads: Literal["primary", "standby"]
    lag_seconds: float | None
    encoder: Encoder | None
    is_copy: bool


@get("/health", operation_id="health", tags=["Probes"], responses=answers(Health, *PROBE))
async def health() -> Response[Health]:
    """Answers while this process is alive."""
    return Response(Health("alive"), headers=_NO_STORE)


@get("/ready", operation_id="ready", tags=["Probes"], responses=answers(Ready, *PROBE, "database-unavailable"))
async def ready(state: State) -> Response[Ready]:
    """Answers 200 while searches can be answered: the database answers and its schema serves this release."""

    def call(conn: Connection) -> tuple[str, bool, bool]:
        return schema.check(conn), gateway.is_elsewhere(conn), bool(conn.scalar(_IS_STANDBY))

    try:
        (revision, is_copy, is_standby), running = await asyncio.gather(state.pools.probe(call), encoder(state))
    except SchemaMismatch as error:
        raise ApiError("database-unavailable", f"{error.message}.", hint=error.hint or "") from error
    except (WindowshopError, TimeoutError) as error:
        raise ApiError("database-unavailable", "The database does not answer.") from error
    pools, standbys = state.pools, state.standbys
    answer = Ready(
        status="ready" if revision == schema.HEAD else "behind",
        revision=revision,
        primary=pools.primary_answers if standbys else not is_standby,
        reads="standby" if is_standby else "primary",
        lag_seconds=standbys.lag if standbys else None,
        encoder=running,
        is_copy=is_copy,
    )
    return Response(answer, headers=_NO_STORE)


async def encoder(state: State) -> Encoder | None:
    """Returns the state of the encoder that searches reach. Returns None while the primary does not answer, if no model
    serves, or if the state cannot be read."""

    def call(conn: Connection) -> Any:
        return conn.execute(_ENCODER).one_or_none()

    if not state.pools.primary_answers:
        return None
    try:
        row = await state.pools.probe(call)
    except (WindowshopError, TimeoutError):
        return None
    return None if row is None else Encoder(*row)
