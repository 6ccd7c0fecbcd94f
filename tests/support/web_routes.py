"""Lists the routes of the web service that the OpenAPI document describes, each with its path."""

from litestar.handlers import HTTPRouteHandler

from web.app import ONLY_V1, PROBES, SHARED, UNVERSIONED

ROUTES: list[tuple[str, HTTPRouteHandler]] = [
    *(("/v1" + min(route.paths), route) for route in (*ONLY_V1, *SHARED)),
    *((min(route.paths), route) for route in (*UNVERSIONED, *PROBES)),
]
