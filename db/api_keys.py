"""Creates, lists, revokes and checks API keys. A key is a random token; the database stores only its SHA-256.

Passwords that people choose need a slow hash. A token of 256 random bits needs no slow hash, because nobody can guess
the token.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, text

SCOPES = ("search", "write", "admin")  # write includes search, and admin includes both
PREFIX = "ws_"


@dataclass(frozen=True, slots=True)
class ApiKey:
    api_key_id: int
    name: str
    scopes: list[str]
    catalogs: list[str] | None = None  # None: all catalogs
    filter: dict[str, Any] | None = None  # the key reads only products that pass this filter; None: all products
    expires_at: datetime | None = None  # None: never

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes or (scope == "search" and "write" in self.scopes)


@dataclass(frozen=True, slots=True)
class ListedKey:
    name: str
    scopes: list[str]
    catalogs: list[str] | None
    filter: dict[str, Any] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


def create(
    conn: Connection,
    name: str,
    scopes: Sequence[str],
    *,
    catalogs: Sequence[str] | None = None,
    filter_: Mapping[str, Any] | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Create a key and return its token, which is stored nowhere.

    Without `catalogs` and `filter_` the key allows all catalogs and all products. Raises StatementRefused if the
    database refuses a value: for example, the name is in use, or a filter is given for a scope other than search.
    """
    token = PREFIX + secrets.token_urlsafe(32)
    written = None if filter_ is None else json.dumps(filter_)
    if written is not None:
        conn.execute(text("select shop.filter_sql(cast(:filter as jsonb))"), {"filter": written})
    conn.execute(
        text(
            "insert into shop_private.api_key (name, hash, scopes, catalogs, filter, expires_at) "
            "values (:name, :hash, :scopes, :catalogs, cast(:filter as jsonb), :expires_at)"
        ),
        {
            "name": name,
            "hash": _hash(token),
            "scopes": list(scopes),
            "catalogs": None if catalogs is None else list(catalogs),
            "filter": written,
            "expires_at": expires_at,
        },
    )
    return token


def every_key(conn: Connection) -> list[ListedKey]:
    rows = conn.execute(
        text(
            "select name, scopes, catalogs, filter, created_at, expires_at, last_used_at, revoked_at "
            "from shop_private.api_key order by api_key_id"
        )
    )
    return [ListedKey(*row) for row in rows]


def revoke(conn: Connection, name: str) -> bool:
    """Revoke the key of this name. Returns False if there is no such key, or if it is revoked already."""
    done = conn.execute(
        text(
            "update shop_private.api_key set revoked_at = clock_timestamp() where name = :name and revoked_at is null"
        ),
        {"name": name},
    )
    return done.rowcount == 1


def find(conn: Connection, token: str) -> ApiKey | None:
    """Returns the key with this token, or None if there is no such key or it is revoked or expired. The function
    writes nothing, so a standby can answer."""
    row = conn.execute(text("select * from shop_private.api_key_find(:hash)"), {"hash": _hash(token)}).one_or_none()
    return None if row is None else ApiKey(*row)


def record_use(conn: Connection, token: str) -> None:
    """Record the use of the key with this token, at most once a minute."""
    conn.execute(text("select shop_private.api_key_use(:hash)"), {"hash": _hash(token)})


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
