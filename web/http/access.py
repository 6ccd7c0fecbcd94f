"""Who asks, and how often: API keys, their scopes, and limits a minute for each key and each address.

A key's name is remembered for a few seconds, so a revoked one works that much longer. Requests without a valid key are
counted by their address, tries at guessing a key included.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network
from typing import Any

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Scope

from db.api_keys import ApiKey
from web.http.problems import ApiError
from web.settings import LOOPBACK, WebSettings

REMEMBERED_SECONDS = 10
_REMEMBERED_KEYS = 1000
_LIGHT = ("/images/", "/picture/", "/static/")  # a page of results is one request and what it shows
_LIGHT_ONES = 25  # of which so many count as one

Find = Callable[[str], Awaitable[ApiKey | None]]


class Access:
    def __init__(self, settings: WebSettings, *, needs_keys: bool, at_home: bool, find: Find) -> None:
        self.needs_keys = needs_keys
        self._at_home = at_home
        self._find = find
        self._known: OrderedDict[str, tuple[float, ApiKey]] = OrderedDict()
        self._asking = asyncio.Semaphore(2)  # a flood of made-up keys holds up keys, not searches
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._per_key = settings.rate_per_key
        self._per_address = settings.rate_per_address

    async def admit(self, scope: Scope) -> None:
        """Note the request's key in its scope; count it. Raises ApiError."""
        if self._at_home and not _asks_for_this_machine(scope):
            raise ApiError("malformed", "Without keys this service answers to its own machine's name only.")
        token = _token(scope) if self.needs_keys else None
        key = self._remembered(token) if token else None
        if key is None:
            await self._count(scope, self._per_address, _address(scope))
            if token is None:
                return
            async with self._asking:
                key = await self._find(token)
            if key is None:
                raise ApiError("key-missing", "This API key is not in force.")
            self._remember(token, key)
        scope["api_key"] = key  # type: ignore[typeddict-unknown-key]
        await self._count(scope, self._per_key, f"key {key.api_key_id}")

    def _remembered(self, token: str) -> ApiKey | None:
        until, key = self._known.get(token, (0.0, None))
        return key if time.monotonic() < until else None

    def _remember(self, token: str, key: ApiKey) -> None:
        self._known[token] = (time.monotonic() + REMEMBERED_SECONDS, key)
        self._known.move_to_end(token)
        while len(self._known) > _REMEMBERED_KEYS:
            self._known.popitem(last=False)

    async def _count(self, scope: Scope, most: int, who: str) -> None:
        if not most:
            return
        limit = RateLimitItemPerMinute(most * _LIGHT_ONES)
        cost = 1 if scope["path"].startswith(_LIGHT) else _LIGHT_ONES
        if not await self._limiter.hit(limit, who, cost=cost):
            stats = await self._limiter.get_window_stats(limit, who)
            wait = max(1, min(60, round(stats.reset_time - time.time())))
            raise ApiError("rate", f"At most {most} requests a minute.", retry_after=wait)


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Where keys are needed. A route says `scope=...`, or it is public. Litestar asks before it reads the body; were
    this not async, it would ask in a thread."""
    scope = handler.opt.get("scope")
    if scope is None:
        return
    key: ApiKey | None = connection.scope.get("api_key")  # type: ignore[assignment]
    if key is None:
        raise ApiError("key-missing", "Send it as: Authorization: Bearer <key>")
    if not key.allows(scope):
        raise ApiError("key-scope", f"This needs a key of scope {scope}.")


def _token(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if kind.lower() == "bearer" and len(token) <= 200 else ""
    return None


def _asks_for_this_machine(scope: Scope) -> bool:
    """A page of another site may have its name resolve to this machine; the Host header still has that name."""
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "localhost")
    return re.sub(r":[0-9]*$", "", host).strip("[]").lower() in LOOPBACK


def _address(scope: Scope) -> str:
    """Who the limit is of. One who has an IPv6 address has a whole network of them."""
    host = (scope["client"] or ("unknown",))[0]
    try:
        address = ip_address(host)
    except ValueError:
        return host
    mapped = getattr(address, "ipv4_mapped", None)
    if address.version == 4 or mapped:
        return str(mapped or address)
    return str(ip_network((address, 64), strict=False))
