"""Defines the data that the service keeps about a request in the `state` of its ASGI scope. RequestMiddleware adds the
data, and logs a part of it at the end of the request."""

import asyncio
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
    asked: tuple[str | None, str | None] | None = None  # for the log: a search's filter, as JSON, and its catalog
    rate_headers: tuple[tuple[bytes, bytes], ...] = ()  # headers with the rate limit of the client
    timeout: asyncio.Timeout | None = None  # ends the request at its deadline
    is_head: bool = False  # the method is HEAD, although `scope` has GET

    def extend(self, seconds: float) -> None:
        """Give the request more time. PostgreSQL's time limit of a statement stays the same."""
        self.deadline += seconds
        self._reschedule(self.deadline)

    def pause(self, until: float) -> None:
        """Let the deadline stand still, at most until a time of the event loop's clock. `extend` ends the pause."""
        self._reschedule(max(self.deadline, until))

    def _reschedule(self, when: float) -> None:
        if self.timeout is not None and not self.timeout.expired():  # a timeout that has expired cannot be moved
            self.timeout.reschedule(when)

    def attach_to(self, scope: Scope) -> None:
        scope["state"][_NAME] = self


def context_of(scope: Scope) -> RequestContext:
    context: RequestContext = scope["state"][_NAME]
    return context
