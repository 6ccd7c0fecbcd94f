"""Turns errors into RFC 9457 problem details. Other modules choose the kind of a problem; KINDS has its HTTP status.

Client programs decide by `type`, which is stable. Each type has one `title`. `detail` and `hint` are for people. An
answer reveals no internals of the server. An error that is not listed here gets the type `internal`, and its details
are only in the log. docs/errors.md has the cause and the cure of each type.

Litestar's plugin for problem details is not used. It could replace only the six lines of `handle_exception`. It sets
neither `type` nor `request_id`, and does not write the problems that are sent outside Litestar.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotAuthorizedException,
    PermissionDeniedException,
)
from litestar.exceptions.http_exceptions import ValidationException

from db.errors import DatabaseError, DatabaseUnreachable, EncoderUnavailable, LoginRefused, StatementRefused
from web.http.context import context_of
from web.http.wording import for_rest

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1


class Problem(msgspec.Struct, omit_defaults=True):
    """An RFC 9457 problem."""

    type: str
    title: str
    status: int
    detail: str = ""
    hint: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    status: int
    title: str
    retry: bool = False  # the cause may be temporary, so the answer has Retry-After


KINDS = {
    "malformed": Kind(400, "The request cannot be read"),
    "key-missing": Kind(401, "A valid API key is needed"),
    "key-scope": Kind(403, "The API key lacks the scope of this route"),
    "origin": Kind(403, "Pages of this origin may not call the service"),
    "not-found": Kind(404, "Not found"),
    "method": Kind(405, "This address does not take that method"),
    "body-timeout": Kind(408, "The body of the request did not arrive in time"),
    "conflict": Kind(409, "The same request is running already", retry=True),
    "cursor-outdated": Kind(409, "The page cursor is outdated"),
    "changed": Kind(412, "The resource has changed since it was read"),
    "too-large": Kind(413, "The request is too large"),
    "media-type": Kind(415, "The body has a media type that this address does not take"),
    "invalid": Kind(422, "The request is not valid"),
    "idempotency-key": Kind(422, "The idempotency key was used for another request"),
    "rate": Kind(429, "Too many requests", retry=True),
    "client-gone": Kind(499, "The client closed the connection"),
    "internal": Kind(500, "Internal error"),
    "method-unknown": Kind(501, "The service does not know the method"),
    "overloaded": Kind(503, "The service is overloaded", retry=True),
    "encoder-unavailable": Kind(503, "Texts and images cannot be encoded at the moment", retry=True),
    "database-unavailable": Kind(503, "The database cannot be reached at the moment", retry=True),
    "timeout": Kind(504, "The request ran out of time"),
}
_BY_STATUS = {kind.status: name for name, kind in reversed(KINDS.items())}  # for each status, the first kind in KINDS


class ClientGone(Exception):
    """The client closed its connection before it got the answer."""


class ApiError(Exception):
    """An error that the service answers with a problem of type `kind`."""

    def __init__(self, kind: str, detail: str = "", *, hint: str = "", retry_after: int = RETRY_SECONDS) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.hint, self.retry_after = kind, detail, hint, retry_after


def as_api_error(error: Exception) -> ApiError:
    """Returns the problem that a client gets for any error."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, DatabaseError):
        return _of_database(error)
    if isinstance(error, TimeoutError):
        return ApiError("timeout", "The request ran into its time limit.")
    if isinstance(error, ClientGone):
        return ApiError("client-gone")
    if isinstance(error, RecursionError):
        return ApiError("malformed", "The JSON is nested too deeply.")
    if isinstance(error, ValidationException):
        return _of_validation(error)
    if isinstance(error, NotAuthorizedException):
        return ApiError("key-missing", error.detail)
    if isinstance(error, PermissionDeniedException):
        return ApiError("key-scope", error.detail)
    if isinstance(error, HTTPException):
        kind = _BY_STATUS.get(error.status_code, "malformed" if error.status_code < 500 else "internal")
        return ApiError(kind, error.detail if error.status_code in (400, 413, 415) else "")
    return ApiError("internal")


_TIMEOUT = ("timeout", "The request ran into its time limit.", "A search with a narrower filter takes less time.")
_UNAVAILABLE = ("database-unavailable", "", "")
_LOCKED = ("overloaded", "Other requests are writing the same rows.", "")
_BAD_VALUE = ("invalid", "A value cannot be stored or compared as the type of its field.", "")
_NOT_FOUND = "42704"
# Maps a SQLSTATE, or the beginning of one, to a problem type, detail and hint; the longest match counts. If detail and
# hint are None, the client gets the message and hint of the error. They are None for errors that usually come from
# Windowshop's own SQL functions.
_BY_SQLSTATE: dict[str, tuple[str, str, str] | tuple[str, None, None]] = {
    "WS003": ("invalid", None, None),  # the encoder refused the query and gives the reason
    "08": _UNAVAILABLE,
    "22": _BAD_VALUE,  # PostgreSQL's own messages of this class reveal internals
    "22023": ("invalid", None, None),
    "23": _BAD_VALUE,
    "25006": _UNAVAILABLE,  # the address of the primary leads to a standby
    "25P03": _UNAVAILABLE,  # the server closed the connection of a transaction that was idle for too long
    "25P04": _UNAVAILABLE,  # the server closed the connection of a transaction that was too long
    "40001": _LOCKED,
    "40P01": _LOCKED,
    _NOT_FOUND: (
        "not-found",
        None,
        None,
    ),  # such as a catalog or product that does not exist
    "53": _UNAVAILABLE,
    "54": ("invalid", None, None),
    "55000": ("cursor-outdated", None, None),
    "55P03": _LOCKED,
    "57014": _TIMEOUT,
    "57P": _UNAVAILABLE,
}


def _of_database(error: DatabaseError) -> ApiError:
    state = error.sqlstate or ""
    found = next((found for length in (5, 3, 2) if (found := _BY_SQLSTATE.get(state[:length]))), None)
    if found is None and isinstance(error, EncoderUnavailable):
        return ApiError("encoder-unavailable", "At the moment, only texts and images in the query cache can be used.")
    if isinstance(error, DatabaseUnreachable | LoginRefused):
        found = _UNAVAILABLE
    elif isinstance(error, StatementRefused) and not state:  # the driver refused a text with a NUL
        found = ("invalid", None, None)
    if found is None:
        return ApiError("internal")
    kind, detail, hint = found
    if detail is None:
        return ApiError(kind, for_rest(error.message), hint=for_rest(error.hint or ""))
    return ApiError(kind, detail, hint=hint or "")


def _of_validation(error: ValidationException) -> ApiError:
    """Returns the problem of an invalid path, query string or header, or of a missing body. web/http/bodies.py checks
    all other bodies."""
    items = [item for item in error.extra or [] if isinstance(item, dict)]
    if any(item.get("key") == "data" for item in items):
        return ApiError("malformed", "A JSON body is needed.")
    parts = [
        f"{item['key']}: {item['message']}" if item.get("key") else str(item["message"])
        for item in items
        if "message" in item
    ]
    return ApiError("invalid", "; ".join(parts)[:1000] or "A parameter of the address is not valid.")


def problem_and_headers(error: ApiError, request_id: str) -> tuple[Problem, dict[str, str]]:
    kind = KINDS[error.kind]
    headers = {"Retry-After": str(error.retry_after)} if kind.retry else {}
    if kind.status == HTTPStatus.REQUEST_TIMEOUT:
        headers["Connection"] = "close"  # the rest of the body may still come, so no request can follow it
    if kind.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    problem = Problem(
        f"urn:windowshop:problem:{error.kind}", kind.title, kind.status, error.detail, error.hint, request_id
    )
    return problem, headers


def log_if_internal(error: Exception, kind: str, request_id: str) -> None:
    """Log an unexpected error in full, because its answer has only the request's id."""
    if kind == "internal":
        structlog.get_logger().error("unexpected error", request_id=request_id, exc_info=error)


def allowed_catalogs(catalogs: Iterable[str]) -> str:
    return f"The key allows these catalogs: {', '.join(catalogs)}."


def problem_of(request: Request[Any, Any, Any], error: Exception) -> tuple[Problem, dict[str, str]]:
    """Returns the problem and the headers that answer an error. Unexpected errors are logged."""
    known, request_id = as_api_error(error), context_of(request.scope).request_id
    if isinstance(error, DatabaseError) and error.sqlstate == _NOT_FOUND:
        known.hint = _hint_of_catalogs(request, known.hint)
    log_if_internal(error, known.kind, request_id)
    return problem_and_headers(known, request_id)


def allow(error: MethodNotAllowedException) -> str:
    """Returns the header `Allow`: the methods that the address takes. HEAD is answered like GET."""
    given = {method.strip() for method in (error.headers or {}).get("allow", "").split(",") if method.strip()}
    return ", ".join(sorted(given | ({"HEAD"} if "GET" in given else set())))


def _hint_of_catalogs(request: Request[Any, Any, Any], hint: str) -> str:
    """Returns the hint for something that does not exist. The hint of the database may name all catalogs, and so it is
    only for a client that may read all of them. Another client gets the catalogs of its key, or no hint."""
    key = context_of(request.scope).api_key
    if key is None:
        return hint if request.app.state.public_catalogs is None else ""
    return hint if key.catalogs is None else allowed_catalogs(key.catalogs)


def handle_exception(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Returns the answer to an exception. Litestar calls this function for exceptions in routes."""
    problem, headers = problem_of(request, error)
    if isinstance(error, MethodNotAllowedException):
        headers["Allow"] = allow(error)
    return Response(problem, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)
