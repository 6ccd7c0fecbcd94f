"""Defines the data that the service keeps about a request in the `state` of its ASGI scope. The outermost middleware
adds the data, and logs a part of it at the end of the request."""

from dataclasses import dataclass

from litestar.types import Scope

from db.api_keys import ApiKey

_NAME = "windowshop"  # the key in scope["state"]; the server gives every request its own copy of the state


@dataclass(slots=True)
class RequestContext:
    request_id: str
    deadline: float  # in seconds of the event loop's clock
    api_key: ApiKey | None = None  # None when keys are off or the request has no valid key
    query_text: str | None = None  # the search text, for the log

    def attach_to(self, scope: Scope) -> None:
        scope["state"][_NAME] = self


def context_of(scope: Scope) -> RequestContext:
    context: RequestContext = scope["state"][_NAME]
    return context
