"""Reads the queue of query texts and images for an encoder, and stores the answers. `db/functions/queries/` has the
functions that put texts and images into the queue.

This module uses psycopg directly, in autocommit, to listen and to send statements in pipelines, because every round
trip adds to the latency of a new query. Its functions raise psycopg's errors. `db.driver_errors.translated` translates
them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import Connection

from db.engine import Database
from db.roles import Role

CHANNEL = "shop_request"


@dataclass(frozen=True, slots=True)
class Request:
    id: int
    model_id: int
    key: bytes
    kind: str  # t: UTF-8 text; i: bytes of an image file, preceded by a line with the region if the request names one
    payload: bytes
    waited_seconds: float


@contextmanager
def connect(database: Database) -> Iterator[Connection[Any]]:
    """Yield a connection of the encoder role for the calls below."""
    with database.connect(Role.ENCODER) as conn:
        raw = conn.connection.driver_connection
        assert raw is not None
        raw.autocommit = True
        try:
            yield raw
        finally:
            conn.invalidate()  # this also ends an open transaction


def begin(conn: Connection[Any], model_ids: Sequence[int], limit: int) -> list[Request]:
    """Open a transaction and claim open requests, those for the serving model first. `finish` unlocks the requests."""
    with conn.pipeline():
        conn.execute("begin")
        claimed = conn.execute("select * from shop_private.request_claim(%s::smallint[], %s)", (list(model_ids), limit))
    return [Request(*row) for row in claimed]


def traces(conn: Connection[Any], ids: Sequence[int]) -> list[str]:
    """Return the traces of the claimed requests (see db/tracing.py). Call this before `finish`."""
    return [trace for (trace,) in conn.execute("select * from shop_private.request_traces(%s::bigint[])", (list(ids),))]


def finish(
    conn: Connection[Any],
    answers: Sequence[tuple[Sequence[int], NDArray[np.float32]]] = (),
    refusals: Sequence[tuple[int, str]] = (),
) -> None:
    """End the transaction of `begin`.

    An answer has n request ids and an array of vectors, shape (n, dimension). The vectors go to the cache, and the
    requests are removed from the queue. A refusal has a request id and the reason, which the waiting session receives.
    """
    with conn.pipeline():
        for ids, vectors in answers:
            conn.execute(
                "select shop_private.request_answer(%s::bigint[], %s)",
                (list(ids), [HalfVector(vector) for vector in vectors]),
            )
        for request_id, reason in refusals:
            conn.execute("select shop_private.request_refuse(%s, %s)", (request_id, reason))
        conn.execute("commit")


def report_alive(conn: Connection[Any], model_ids: Sequence[int]) -> None:
    """Report that an encoder answers queries for these models over this connection.

    The report is valid until the connection ends, but for at most `query_lane_seconds` (db/functions/constants.py).
    """
    conn.execute("select shop_private.query_lane_beat(%s::smallint[])", (list(model_ids),))


def housekeep(conn: Connection[Any], cache_rows: int) -> None:
    conn.execute("select shop_private.housekeep(%s)", (cache_rows,))
