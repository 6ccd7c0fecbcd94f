"""Finds the path of a request below the service's path prefix, and builds addresses that browsers can follow.

A proxy may serve this service below a prefix, such as /shop. The addresses of this service in its answers then begin
with the prefix.
"""

import re
from collections.abc import Callable
from contextvars import ContextVar
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any
from urllib.parse import unquote

from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send

from web.http.problems import ApiError
from web.settings import ROOT_PATH

_FORWARDED = b"x-forwarded-prefix"
_PRODUCTS = ("/v1/products/", "/products/")
_AFTER_SKU = ("/similar", "/encoding")  # what may follow the SKU in the path of a route
_SLASH = "\0"  # stands for a slash of a SKU while the request is routed, because a SKU has no NUL
_prefix: ContextVar[str] = ContextVar("prefix", default="")


def address(path: str) -> str:
    """Returns the address of a path of this service, for the answer to the current request."""
    return _prefix.get() + path


def sku_in(path_parameter: str) -> str:
    return path_parameter.replace(_SLASH, "/")


def without_prefix(path: str, prefix: str) -> str:
    return path.removeprefix(prefix) or "/" if path == prefix or path.startswith(f"{prefix}/") else path


def set_path(scope: Scope, root_path: str) -> None:
    """Set the path of the request to its path below the prefix, and keep the prefix for `address`.

    A proxy that sends X-Forwarded-Prefix has removed the prefix from the path. With the setting `root_path`, the path
    may still have the prefix. Raises ApiError for an invalid prefix or path.
    """
    forwarded, scope["root_path"] = scope.get("root_path", ""), ""
    if not re.fullmatch(ROOT_PATH, forwarded):
        raise ApiError("malformed", "X-Forwarded-Prefix is not a path such as /shop.")
    _prefix.set(forwarded or root_path)
    raw = scope["raw_path"].decode("latin-1")
    if root_path and not forwarded:
        scope["path"], raw = without_prefix(scope["path"], root_path), without_prefix(raw, root_path)
    if _SLASH in scope["path"]:
        raise ApiError("invalid", "The address contains a NUL character.")
    if start := next((each for each in _PRODUCTS if raw.startswith(each)), None):
        scope["path"] = start + _product_path(raw.removeprefix(start).rstrip("/"))


def _product_path(rest: str) -> str:
    """Returns the end of the path of a product's route. The SKU may contain slashes."""
    last = next((each for each in _AFTER_SKU if rest.endswith(each) and rest != each), "")
    return unquote(rest.removesuffix(last)).replace("/", _SLASH) + last


class ForwardedPrefix:
    """Passes X-Forwarded-Prefix on as the ASGI `root_path`, if the request comes from one of the trusted `proxies`.

    uvicorn's handling of X-Forwarded-For replaces the address of the proxy. This application wraps that handling, so it
    still sees the address of the proxy.
    """

    def __init__(self, app: Callable[..., Any], proxies: list[IPv4Network | IPv6Network]) -> None:
        self._app, self._proxies = app, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and self._trusts(scope):
            given = next((value for name, value in scope["headers"] if name == _FORWARDED), b"")
            scope["root_path"] = given.decode("latin-1").strip().rstrip("/")
        await self._app(scope, receive, send)

    def _trusts(self, scope: Scope) -> bool:
        try:
            peer = ip_address((scope["client"] or ("",))[0])
        except ValueError:
            return False
        return any(peer in network for network in self._proxies)
