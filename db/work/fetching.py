"""Calls the SQL functions of the work list for images that must be fetched from a host.

The database keeps the state of each host. So all encoders share one circuit breaker for each host, and the restart of
an encoder does not reset the circuit breaker.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, text

from db.images.errors import FetchFailed
from db.work.items import Item


@dataclass(frozen=True, slots=True)
class RemoteItem:
    """An image to fetch. `answers` tells whether the image's host answered the last fetch."""

    item: Item
    host: str
    answers: bool


@dataclass(frozen=True, slots=True)
class FailingHost:
    host: str
    waiting: int
    error: str


_CLAIM = text(
    "select product_id, position, attempts, batch_limit, uri, host, answers from shop_private.fetch_claim("
    ":worker, cast(:model as smallint), :limit, :per_host, :busy, :seconds)"
)
_FAILED = text(
    "select shop_private.fetch_failed(:worker, cast(:model as smallint), :product, cast(:position as smallint), :host, "
    ":error, :answered, :seconds)"
)
_BEGIN = text(
    "select shop_private.work_begin(:worker, cast(:model as smallint), cast(:products as uuid[]), "
    "cast(:positions as smallint[]))"
)
_RETURN = text(
    "select shop_private.fetch_return(:worker, cast(:model as smallint), cast(:products as uuid[]), "
    "cast(:positions as smallint[]))"
)
_FAILING = text("select host, waiting, error from shop_private.failing_hosts()")


def claim(
    conn: Connection,
    worker: UUID,
    model_id: int,
    limit: int,
    *,
    per_host: int,
    busy: Mapping[str, int],
    seconds: float,
) -> list[RemoteItem]:
    """Claim up to `limit` images to fetch, and up to `per_host` images of each host.

    `busy` maps each host to the number of its images that this worker already holds for fetching; these images count
    towards `per_host`. If a host has not answered yet, or if the last fetch from it failed, all workers together claim
    only one of its images. They claim the next one when the result of the first is recorded, or when `seconds` have
    passed. But if nobody has tried the host before, each of several claims at the same moment can get an image.
    """
    parameters = {
        "worker": worker,
        "model": model_id,
        "limit": limit,
        "per_host": per_host,
        "busy": Jsonb(dict(busy)),
        "seconds": seconds,
    }
    return [
        RemoteItem(
            Item(row.product_id, row.position, row.attempts, row.batch_limit, "", None, row.uri, row.host),
            row.host,
            row.answers,
        )
        for row in conn.execute(_CLAIM, parameters)
    ]


def begin(conn: Connection, worker: UUID, model_id: int, items: Sequence[Item]) -> None:
    """Record that the worker puts these fetched images into one batch."""
    conn.execute(_BEGIN, _keys(worker, model_id, items))


def release(conn: Connection, worker: UUID, model_id: int, items: Sequence[Item]) -> None:
    """Put unfetched images back on the work list, because their host was paused."""
    conn.execute(_RETURN, _keys(worker, model_id, items))


def failed(conn: Connection, worker: UUID, model_id: int, remote: RemoteItem, error: FetchFailed) -> bool:
    """Record that the fetch of an image failed temporarily. Returns whether the image's host is paused."""
    parameters = {
        "worker": worker,
        "model": model_id,
        "product": remote.item.product_id,
        "position": remote.item.position,
        "host": remote.host,
        "error": error.message,
        "answered": error.answered,
        "seconds": error.seconds,
    }
    return bool(conn.scalar(_FAILED, parameters))


def answered(conn: Connection, host: str) -> None:
    """Record that a host answers. The answer ends the pause of the host."""
    conn.execute(text("select shop_private.fetch_answered(:host)"), {"host": host})


def failing_hosts(conn: Connection) -> list[FailingHost]:
    """Return the failing hosts that have waiting images. The host with the most waiting images comes first."""
    return [FailingHost(*row) for row in conn.execute(_FAILING)]


def _keys(worker: UUID, model_id: int, items: Sequence[Item]) -> dict[str, object]:
    return {
        "worker": worker,
        "model": model_id,
        "products": [item.product_id for item in items],
        "positions": [item.position for item in items],
    }
