"""Remembers the answers to writes that have an idempotency key."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, text

_CLAIM = text("select * from shop_private.idempotency_claim(:key, :request)")
_END = text("select shop_private.idempotency_end(:key, :claimed, cast(:status as smallint), :answer)")


@dataclass(frozen=True, slots=True)
class Claim:
    """The result of shop_private.idempotency_claim, which explains the states.

    `claimed` is the time of a new claim, and distinguishes it from other claims. If the state is done, `status` and
    `answer` are those of an earlier request with the same key and content.
    """

    state: Literal["new", "done", "running", "other"]
    claimed: datetime | None
    status: int | None
    answer: bytes | None


def claim(conn: Connection, key: bytes, request: bytes) -> Claim:
    """Claim a key. `key` and `request` are SHA-256 hashes."""
    return Claim(*conn.execute(_CLAIM, {"key": key, "request": request}).one())


def end(conn: Connection, key: bytes, claimed: datetime, status: int | None, answer: bytes | None) -> None:
    """Store the answer to the request that has claimed the key at the time `claimed`, or give the claim up if `status`
    is None. Does nothing if this claim has ended, or if the key was claimed again."""
    conn.execute(_END, {"key": key, "claimed": claimed, "status": status, "answer": answer})
