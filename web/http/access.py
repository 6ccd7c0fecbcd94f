"""Checks host names, API keys and their scopes, and limits the requests per minute of each key and client address.

A valid key is cached, so a revoked key still works for a few seconds. While no database answers, a key that was found
in the last ten minutes works, unless it has expired. Requests without a valid key, such as attempts to guess a key, are
counted by client address. So are requests with a key that has not been found in the last ten minutes.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from limits import RateLimitItemPerMinute
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Scope

from db.api_keys import ApiKey
from db.errors import DatabaseError
from web.http.allowances import Allowances
from web.http.context import context_of
from web.http.problems import ApiError
from web.settings import LOOPBACK, WebSettings

CACHE_SECONDS = 10  # a valid key is looked up again after this time
REMEMBER_SECONDS = 600  # while no database answers, a key works for this time after it was found
RETRY_SECONDS = 5  # a remembered key whose look-up failed is looked up again after this time
_MAX_CACHED_KEYS = 1000
_MAX_TOKEN = 200  # characters
# A page of results loads many images and static files. So 25 requests for these paths count as one towards the limit.
_LIGHT_PATHS = ("/images/", "/v1/images/", "/picture/", "/static/")
_LIGHT_PER_REQUEST = 25

# A proxy adds one of these headers to a request.
_PROXY_HEADERS = {
    b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-prefix", b"x-forwarded-proto",
    b"x-real-ip",
}  # fmt: skip

_SEND_KEY = "Send the key as: Authorization: Bearer <key>"

FindKey = Callable[[str], Awaitable[ApiKey | None]]


@dataclass(slots=True)
class _FoundKey:
    key: ApiKey
    found_at: float
    look_up_at: float  # when the key is looked up again


class Access:
    def __init__(
        self,
        settings: WebSettings,
        *,
        needs_keys: bool,
        loopback_only: bool,
        find_key: FindKey,
        session_token: Callable[[Scope], str | None],
    ) -> None:
        """`loopback_only` means that the service needs no keys and accepts only loopback names and allowed names.
        `session_token` returns the API key of the staff session to which a request belongs, or None."""
        self.needs_keys = needs_keys
        self._session_token = session_token
        self._loopback_only = loopback_only
        self._find_key = find_key
        self._cache: OrderedDict[str, _FoundKey] = OrderedDict()
        # At most two look-ups run at the same time. Many requests with invented keys then delay only requests whose
        # keys are looked up too.
        self._lookups = asyncio.Semaphore(2)
        self._allowances = Allowances()
        self._hosts = settings.allowed_hosts
        # Nobody has decided that everyone may change the catalog, so a proxy must not pass on requests of others.
        self._refuses_proxies = settings.api_keys == "auto" and not needs_keys
        self._per_key = settings.rate_per_key
        self._per_address = settings.rate_per_address

    async def admit(self, scope: Scope) -> None:
        """Put the request's key into the request's context, and count the request. Raises ApiError if the host name is
        not allowed, if a proxy sent the request while keys are off by default, if the request has a header
        Authorization without a known key, or if the limit is exceeded. Also raises the errors of `key_of`."""
        host = _host(scope)
        if (self._hosts or self._loopback_only) and host not in LOOPBACK and not _matches(host, self._hosts):
            rule = "Without API keys this service accepts only loopback names in the Host header."
            detail = "This service does not answer to the host name of the request." if self._hosts else rule
            hint = "WINDOWSHOP_WEB_ALLOWED_HOSTS names the host names of the service."
            if self._refuses_proxies:
                hint += " This setting also turns API keys on, unless WINDOWSHOP_WEB_API_KEYS is off."
            raise ApiError("malformed", detail, hint=hint)
        if self._refuses_proxies and not _PROXY_HEADERS.isdisjoint(name for name, _ in scope["headers"]):
            raise ApiError(
                "malformed",
                "This request came through a proxy, and API keys are off.",
                hint="Set WINDOWSHOP_WEB_API_KEYS to on, or to off if everyone may change the catalog.",
            )
        token = _token(scope) if self.needs_keys else None
        in_session = token is None and self.needs_keys
        if in_session:
            token = self._session_token(scope)
        found = self._remembered(token) if token else None
        if found is None:
            await self._count(scope, self._per_address, client_of(scope))
        if token is None:
            return
        key = await self._key(token, found)
        if key is None and in_session:
            return  # the key is no longer valid, so the page asks for another key
        if key is None:
            detail = "This API key is unknown or revoked." if token else "The header Authorization has no API key."
            raise ApiError("key-missing", detail, hint="" if token else _SEND_KEY)
        context_of(scope).api_key = key
        await self._count(scope, self._per_key, client_of(scope))

    async def key_of(self, token: str) -> ApiKey | None:
        """Returns the key with this token, or None if there is none. Raises DatabaseError or TimeoutError if the key is
        not remembered and cannot be looked up."""
        return await self._key(token, self._remembered(token)) if 0 < len(token) <= _MAX_TOKEN else None

    async def count_more(self, scope: Scope, requests: int) -> None:
        """Count a request that stands for several, such as one with many searches, as `requests` more requests.

        Raises ApiError above the limit. If the whole request would fit later, the count that `admit` made for this
        request is taken back.
        """
        per_minute = self._per_address if context_of(scope).api_key is None else self._per_key
        if not per_minute or not requests:
            return
        if requests + 1 > per_minute:
            raise ApiError(
                "invalid",
                f"The request counts as {requests + 1} requests, and the limit is {per_minute} requests per minute.",
                hint="Send fewer searches in one request.",
            )
        limit, client = _limit(per_minute), client_of(scope)
        if await self._allowances.spend(limit, client, cost=requests * _LIGHT_PER_REQUEST):
            await self._report(scope, per_minute, client)
            return
        await self._allowances.refund(limit, client, cost=_LIGHT_PER_REQUEST)
        await self._refuse(scope, per_minute, client, requests + 1)

    async def _key(self, token: str, found: _FoundKey | None) -> ApiKey | None:
        """Returns the key, or None if there is no such key. Raises DatabaseError or TimeoutError if the look-up fails
        and the key was not `found` before."""
        if found is not None:
            if time.monotonic() < found.look_up_at:
                return found.key
            found.look_up_at = time.monotonic() + RETRY_SECONDS  # meanwhile other requests use the remembered key
        try:
            async with self._lookups:
                key = await self._find_key(token)
        except (DatabaseError, TimeoutError):
            if found is None:
                raise
            found.look_up_at = time.monotonic() + RETRY_SECONDS
            return found.key
        if key is None:
            self._cache.pop(token, None)
        else:
            self._remember(token, key)
        return key

    def _remembered(self, token: str) -> _FoundKey | None:
        found = self._cache.get(token)
        if found is None or found.key.is_expired or time.monotonic() > found.found_at + REMEMBER_SECONDS:
            return None
        return found

    def _remember(self, token: str, key: ApiKey) -> None:
        now = time.monotonic()
        self._cache[token] = _FoundKey(key, now, now + CACHE_SECONDS)
        self._cache.move_to_end(token)
        while len(self._cache) > _MAX_CACHED_KEYS:
            self._cache.popitem(last=False)

    async def _count(self, scope: Scope, per_minute: int, client: str) -> None:
        """Count a request of `client`, which is a key or an address. Raises ApiError above `per_minute` requests; 0
        means no limit."""
        if not per_minute:
            return
        cost = 1 if scope["path"].startswith(_LIGHT_PATHS) else _LIGHT_PER_REQUEST
        if not await self._allowances.spend(_limit(per_minute), client, cost=cost):
            await self._refuse(scope, per_minute, client, cost / _LIGHT_PER_REQUEST)
        await self._report(scope, per_minute, client)

    async def _refuse(self, scope: Scope, per_minute: int, client: str, requests: float) -> None:
        """Raises ApiError with the time after which this number of requests fits."""
        await self._report(scope, per_minute, client)
        cost = round(requests * _LIGHT_PER_REQUEST)
        wait = await self._allowances.wait(_limit(per_minute), client, cost=cost)
        counts = "" if requests <= 1 else f" This request counts as {requests} requests."
        raise ApiError("rate", f"The limit is {per_minute} requests per minute.{counts}", retry_after=wait)

    async def _report(self, scope: Scope, per_minute: int, client: str) -> None:
        """Put the fields of draft-ietf-httpapi-ratelimit-headers into the request's context: the limit, how many
        requests are left, and after how many seconds the client can use the whole limit again."""
        limit = _limit(per_minute)
        left = await self._allowances.left(limit, client) // _LIGHT_PER_REQUEST
        full = await self._allowances.wait(limit, client, cost=limit.amount)
        context_of(scope).rate_headers = (
            (b"ratelimit-policy", b'"minute";q=%d;w=60' % per_minute),
            (b"ratelimit", b'"minute";r=%d;t=%d' % (left, full)),
        )


def _limit(per_minute: int) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(per_minute * _LIGHT_PER_REQUEST)


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Check that the key has the route's scope. A route without `scope=...` is public.

    Litestar runs guards before it reads the body. The guard is async because Litestar would run a synchronous guard in
    a thread, which costs time.
    """
    scope = handler.opt.get("scope")
    if scope is None:
        return
    key = context_of(connection.scope).api_key
    if key is None:
        raise ApiError("key-missing", _SEND_KEY)
    if not key.allows(scope):
        raise ApiError("key-scope", f"This route needs a key of scope {scope}.")


def _token(scope: Scope) -> str | None:
    """Returns the bearer token. Returns None without an Authorization header, and an empty text for a header that
    cannot hold a key."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if kind.lower() == "bearer" and len(token) <= _MAX_TOKEN else ""
    return None


def _host(scope: Scope) -> str:
    """Returns the name in the Host header, without the port, or `localhost` without such a header.

    Checking the name protects against DNS rebinding, in which the name of another site resolves to this machine. The
    browser then sends the name of that site in the Host header.
    """
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "localhost")
    return re.sub(r":[0-9]*$", "", host).strip("[]").rstrip(".").lower()


def _matches(host: str, allowed: list[str]) -> bool:
    """Returns whether a host name is allowed. `*` allows every name, and `*.shop.example` every name below
    shop.example."""
    return any(one in ("*", host) or (one.startswith("*.") and host.endswith(one[1:])) for one in allowed)


def client_of(scope: Scope) -> str:
    """Returns the name under which requests are counted: the key, or else the address of the client. An IPv6 client
    usually has a whole /64 network, so all addresses of a /64 count as one address."""
    if (key := context_of(scope).api_key) is not None:
        return f"key {key.api_key_id}"
    host = (scope["client"] or ("unknown",))[0]
    try:
        address = ip_address(host)
    except ValueError:
        return host
    mapped = getattr(address, "ipv4_mapped", None)
    if address.version == 4 or mapped:
        return str(mapped or address)
    return str(ip_network((address, 64), strict=False))
