"""Errors as RFC 9457 problem details: the one place where an error becomes an HTTP status.

`type` is stable and what programs go by; `title` belongs to the type; `detail` and `hint` are for people. Nothing of
the server's inside is told: whatever is not listed here is `internal`, and only the log knows more.
"""

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException
from litestar.exceptions.http_exceptions import ValidationException

from db.errors import DatabaseError, DatabaseUnreachable, EncoderUnavailable, LoginRefused, StatementRefused

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
    retry: bool = False  # may pass by itself: answered with Retry-After


KINDS = {
    "malformed": Kind(400, "The request cannot be read"),
    "key-missing": Kind(401, "An API key is needed"),
    "key-scope": Kind(403, "The API key does not allow this"),
    "not-found": Kind(404, "There is no such thing here"),
    "method": Kind(405, "This address does not take that method"),
    "cursor-outdated": Kind(409, "The pages of this search have changed"),
    "too-large": Kind(413, "The request is too large"),
    "media-type": Kind(415, "The body is of a kind that is not taken here"),
    "invalid": Kind(422, "The request asks for something that cannot be"),
    "rate": Kind(429, "Too many requests", retry=True),
    "client-gone": Kind(499, "Nobody waits for the answer"),
    "internal": Kind(500, "Something went wrong here"),
    "overloaded": Kind(503, "Too busy at the moment", retry=True),
    "encoder-unavailable": Kind(503, "Texts and pictures cannot be encoded at the moment", retry=True),
    "database-unavailable": Kind(503, "The database cannot be reached at the moment", retry=True),
    "timeout": Kind(504, "It took too long"),
}
_BY_STATUS = {kind.status: name for name, kind in reversed(KINDS.items())}  # the first of each status


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class ApiError(Exception):
    """A request that is refused by this service itself."""

    def __init__(self, kind: str, detail: str = "", *, hint: str = "", retry_after: int = RETRY_SECONDS) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.hint, self.retry_after = kind, detail, hint, retry_after


def refused(error: Exception) -> ApiError:
    """What an error means to the client."""
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


def _of_database(error: DatabaseError) -> ApiError:
    state = error.sqlstate or ""
    told = partial(ApiError, detail=error.message, hint=error.hint or "")
    if state == "WS003":  # the encoder looked at it and says what is wrong
        return told("invalid")
    if isinstance(error, EncoderUnavailable):
        return ApiError("encoder-unavailable", "A new text or picture cannot be encoded; texts asked before can.")
    if isinstance(error, DatabaseUnreachable | LoginRefused) or state.startswith(("08", "53", "57P")):
        return ApiError("database-unavailable")
    if state == "57014":
        return ApiError("timeout", "The search ran into its time limit.", hint="A narrower filter takes less time.")
    if state == "42704":  # raised by our functions only: a catalog or product that is not there
        return told("not-found")
    if state == "55000":
        return told("cursor-outdated")
    if state in ("40001", "40P01", "55P03"):  # two who wrote the same rows at once
        return ApiError("overloaded", "Others are writing the same rows.")
    if isinstance(error, StatementRefused) and (state in ("", "22023") or state[:2] == "54"):
        return told("invalid")
    if state[:2] in ("22", "23"):  # what a value is, the database's own words say with its insides
        return ApiError("invalid", "A value cannot be stored or compared as what it is meant for.")
    return ApiError("internal")


def _of_validation(error: ValidationException) -> ApiError:
    """Of what is in the address. Bodies are checked in web/bodies.py: here one can only be missing."""
    if any(isinstance(item, dict) and item.get("key") == "data" for item in error.extra or []):
        return ApiError("malformed", "A JSON body is needed.")
    parts = [
        f"{item['key']}: {item['message']}" if item.get("key") else str(item["message"])
        for item in error.extra or []
        if isinstance(item, dict) and "message" in item
    ]
    return ApiError("invalid", "; ".join(parts)[:1000] or error.detail.partition(" for ")[0])


def body_and_headers(refusal: ApiError, request_id: str) -> tuple[Problem, dict[str, str]]:
    kind = KINDS[refusal.kind]
    headers = {"Retry-After": str(refusal.retry_after)} if kind.retry else {}
    if kind.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    problem = Problem(
        f"urn:windowshop:problem:{refusal.kind}", kind.title, kind.status, refusal.detail, refusal.hint, request_id
    )
    return problem, headers


def noted(request: Request[Any, Any, Any], error: Exception) -> tuple[Problem, dict[str, str]]:
    """What to answer to an error; the log is told of those that nobody foresaw."""
    refusal = refused(error)
    if KINDS[refusal.kind].status == HTTPStatus.INTERNAL_SERVER_ERROR:
        structlog.get_logger().error("unexpected error", request_id=request.scope.get("request_id"), exc_info=error)
    return body_and_headers(refusal, str(request.scope.get("request_id", "")))


def answer(request: Request, error: Exception) -> Response[Problem]:  # type: ignore[type-arg]
    """Litestar's handler of every exception."""
    problem, headers = noted(request, error)
    if isinstance(error, HTTPException) and error.headers and "Allow" in error.headers:
        headers["Allow"] = error.headers["Allow"]
    return Response(problem, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)
