"""Describes, for the OpenAPI document, which answers a route can give."""

from typing import Any

from litestar.openapi import ResponseSpec

from web.http.problems import KINDS, MEDIA_TYPE, Problem

KEY: list[dict[str, list[str]]] = [{"key": []}]  # the OpenAPI `security` of routes that need a key when keys are on
PROBE = ("internal",)  # the problem that every probe can return
# The problems that every route except the probes can return.
_ALWAYS = ("malformed", "key-missing", "invalid", "rate", "internal", "overloaded", "timeout")
KEYED = ("key-scope", "database-unavailable")  # further problems of routes that need a key
BODY = ("body-timeout", "too-large", "media-type")  # further problems of routes that read a body
UNCHANGED = {304: ResponseSpec(None, description="Unchanged since the answer whose ETag is in If-None-Match.")}
REPEATABLE = ("conflict", "idempotency-key")  # further problems of routes that take an Idempotency-Key


def answers(model: Any, *also: str, status: int = 200, media_type: str = "application/json") -> dict[int, ResponseSpec]:
    """Returns, by HTTP status, the successful answer, the problems in _ALWAYS, and the problems in `also`. With PROBE
    in `also`, the route is a probe, and the problems in _ALWAYS are left out."""
    specs = {status: ResponseSpec(model, description="Done.", media_type=media_type, generate_examples=False)}
    always = () if set(PROBE) <= set(also) else _ALWAYS
    for kind in dict.fromkeys((*always, *also)):
        title = KINDS[kind].title
        if before := specs.get(KINDS[kind].status):
            before.description += f" Or: {title}."
        else:
            specs[KINDS[kind].status] = ResponseSpec(
                Problem, description=f"{title}.", media_type=MEDIA_TYPE, generate_examples=False
            )
    return specs
