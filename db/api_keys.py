"""Creates, lists, revokes and checks API keys. A key is a random token; the database stores only its SHA-256.

Passwords that people choose need a slow hash. A token of 256 random bits needs no slow hash, because nobody can guess
the token.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

SCOPES = ("search", "write", "admin")  # admin includes the other scopes
PREFIX = "ws_"


@dataclass(frozen=True, slots=True)
class ApiKey:
    api_key_id: int
    name: str
    scopes: list[str]

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes


@dataclass(frozen=True, slots=True)
class ListedKey:
    name: str
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def create(conn: Connection, name: str, scopes: Sequence[str]) -> str:
    """Create a key and return its token, which is stored nowhere. Raises StatementRefused if the name is in use."""
    token = PREFIX + secrets.token_urlsafe(32)
    conn.execute(
        text("insert into shop_private.api_key (name, hash, scopes) values (:name, :hash, :scopes)"),
        {"name": name, "hash": _hash(token), "scopes": list(scopes)},
    )
    return token


def every_key(conn: Connection) -> list[ListedKey]:
    rows = conn.execute(
        text("select name, scopes, created_at, last_used_at, revoked_at from shop_private.api_key order by api_key_id")
    )
    return [ListedKey(*row) for row in rows]


def revoke(conn: Connection, name: str) -> bool:
    """Revoke the active key of this name. Returns False when there is no such key."""
    done = conn.execute(
        text(
            "update shop_private.api_key set revoked_at = clock_timestamp() where name = :name and revoked_at is null"
        ),
        {"name": name},
    )
    return done.rowcount == 1


def use(conn: Connection, token: str) -> ApiKey | None:
    """Return the active key with this token and record its use, or return None if there is no such key."""
    row = conn.execute(text("select * from shop_private.api_key_use(:hash)"), {"hash": _hash(token)}).one_or_none()
    return None if row is None else ApiKey(*row)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
