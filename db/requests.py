"""The queue of query texts and pictures, as an encoder sees it. The asking side is `db/functions/gateway_*.sql`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from sqlalchemy import Connection, text

CHANNEL = "shop_request"
PROOF_OF_LIFE = 740_000  # advisory lock class: an encoder for model (objid) is connected


@dataclass(frozen=True, slots=True)
class Request:
    id: int
    model_id: int
    key: bytes
    kind: str  # t: UTF-8 text, i: bytes of an image file
    payload: bytes


def claim(conn: Connection, model_ids: Sequence[int], limit: int) -> list[Request]:
    """The oldest open requests, locked until this transaction ends: keep it open while they are encoded."""
    rows = conn.execute(
        text("select * from shop_private.request_claim(cast(:models as smallint[]), :limit)"),
        {"models": list(model_ids), "limit": limit},
    )
    return [Request(*row) for row in rows]


def answer(conn: Connection, ids: Sequence[int], vectors: NDArray[np.float32]) -> None:
    """Cache the (n, dimension) vectors of n requests and take the requests off the queue."""
    conn.execute(
        text("select shop_private.request_answer(cast(:ids as bigint[]), :embeddings)"),
        {"ids": list(ids), "embeddings": [HalfVector(vector) for vector in vectors]},
    )


def refuse(conn: Connection, request: Request, reason: str) -> None:
    """Tell the asker why there will be no vector."""
    conn.execute(text("select shop_private.request_refuse(:id, :reason)"), {"id": request.id, "reason": reason})


def prove_life(conn: Connection, model_ids: Sequence[int]) -> None:
    """Hold, for this session, the lock by which askers know that an encoder for these models is there."""
    for model_id in model_ids:
        conn.execute(
            text("select pg_advisory_lock_shared(:class, :model)"), {"class": PROOF_OF_LIFE, "model": model_id}
        )


def housekeep(conn: Connection, cache_rows: int) -> None:
    conn.execute(text("select shop_private.housekeep(:rows)"), {"rows": cache_rows})
