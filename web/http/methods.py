"""Answers OPTIONS, and refuses faulty parameters of REST, such as those that the route does not have."""

from collections.abc import Callable
from typing import Any

from litestar import Request, Response
from litestar.exceptions import MethodNotAllowedException
from litestar.params import ParameterKwarg
from litestar.utils import normalize_path

from web.http.problems import ApiError, allow

_NO_ROUTE_HAS = "TRACE"
_parameters_of: dict[Callable[..., Any], frozenset[str]] = {}


async def check_request(request: Request[Any, Any, Any]) -> Response[None] | None:
    """Litestar calls this function before each route. If the route has the option `strict`, the function raises
    ApiError for a query parameter that is unknown, is given twice or has a NUL character."""
    if request.method == "OPTIONS":
        return Response(None, status_code=204, headers={"Allow": _allowed(request)})
    if request.scope["query_string"] and request.route_handler.opt.get("strict"):
        known = _parameters(request) - request.path_params.keys()
        if unknown := sorted(request.query_params.keys() - known):
            hint = f"The parameters are {', '.join(sorted(known))}." if known else "This address takes no parameters."
            raise ApiError("invalid", f"There is no parameter {unknown[0][:40]}.", hint=hint)
        given = set[str]()
        for name, value in request.query_params.multi_items():
            if name in given:
                raise ApiError("invalid", f"The parameter {name} is given twice.")
            if "\0" in value:
                raise ApiError("invalid", f"{name} has a NUL character, which no text may have.")
            given.add(name)
    return None


def _parameters(request: Request[Any, Any, Any]) -> frozenset[str]:
    """Returns the names of the route's parameters. The key in the cache is the handler's function and not the handler,
    because Litestar may copy the handler."""
    handler: Any = request.route_handler
    if (known := _parameters_of.get(handler.fn)) is None:
        fields = handler.parsed_fn_signature.parameters.items()
        given = ((name, field.kwarg_definition) for name, field in fields)
        known = frozenset(kwarg.name or name for name, kwarg in given if isinstance(kwarg, ParameterKwarg))
        _parameters_of[handler.fn] = known
    return known


def _allowed(request: Request[Any, Any, Any]) -> str:
    try:
        request.app.asgi_router.handle_routing(path=normalize_path(request.scope["path"]), method=_NO_ROUTE_HAS)
    except MethodNotAllowedException as error:
        return allow(error)
    return "OPTIONS"
