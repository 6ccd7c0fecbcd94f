"""Remembers the answers to writes that have an idempotency key."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, text

_CLAIM = text("select * from shop_private.idempotency_claim(:key, :request)")
_END = text("select shop_private.idempotency_end(:key, cast(:status as smallint), :answer)")


@dataclass(frozen=True, slots=True)
class Claim:
    """`status` and `answer` are those of an earlier request with the same key and content, if the state is done."""

    state: Literal["new", "done", "running", "other"]
    status: int | None
    answer: bytes | None


def claim(conn: Connection, key: bytes, request: bytes) -> Claim:
    """Claim a key. `key` and `request` are SHA-256 hashes."""
    return Claim(*conn.execute(_CLAIM, {"key": key, "request": request}).one())


def end(conn: Connection, key: bytes, status: int | None, answer: bytes | None) -> None:
    """Store the answer to a claimed request, or give the claim up if `status` is None."""
    conn.execute(_END, {"key": key, "status": status, "answer": answer})
