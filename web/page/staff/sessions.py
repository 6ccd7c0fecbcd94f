"""Keeps the sessions of signed-in staff in the memory of this process.

The cookie of a session is a random name; the API key stays here. A session ends after 30 minutes without a request,
after 8 hours, by signing out, or by a restart. If there are too many sessions, the one that was used longest ago ends.
Litestar's own server-side sessions are not used. They accept a session name that the browser sends, and a stranger may
have chosen this name. They also set the cookie's attribute `Secure` for every request or for none.
"""

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.types import Scope

from web.http.addresses import address

PATH = "/staff"
COOKIE = "windowshop_staff"
IDLE_SECONDS = 30 * 60
LONGEST_SECONDS = 8 * 3600
_MOST = 1000  # sessions


@dataclass(slots=True)
class StaffSession:
    token: str  # the API key
    began: float
    used: float


class StaffSessions:
    def __init__(self) -> None:
        self._sessions: OrderedDict[str, StaffSession] = OrderedDict()

    def begin(self, token: str) -> str:
        """Returns the name of a new session that acts with the API key `token`."""
        name, now = secrets.token_urlsafe(32), time.monotonic()
        self._sessions[name] = StaffSession(token, now, now)
        while len(self._sessions) > _MOST:
            self._sessions.popitem(last=False)
        return name

    def end(self, scope: Scope) -> None:
        """End the session of a request, if it has one."""
        self._sessions.pop(_name_in(scope), None)

    def token_of(self, scope: Scope) -> str | None:
        """Returns the API key of the session that a request for the page has, or None."""
        if scope["path"] != PATH and not scope["path"].startswith(PATH + "/"):
            return None
        name, now = _name_in(scope), time.monotonic()
        session = self._sessions.get(name)
        if session is None:
            return None
        if now > session.used + IDLE_SECONDS or now > session.began + LONGEST_SECONDS:
            del self._sessions[name]
            return None
        session.used = now
        self._sessions.move_to_end(name)
        return session.token


def cookie(scope: Scope, name: str) -> Cookie:
    """Returns the cookie of a session. The browser keeps the cookie until the browser is closed. An empty name removes
    the cookie."""
    return Cookie(
        key=COOKIE,
        value=name,
        path=address(PATH),
        httponly=True,
        secure=scope["scheme"] == "https",
        samesite="strict",
        max_age=None if name else 0,
    )


def _name_in(scope: Scope) -> str:
    return ASGIConnection[Any, Any, Any, Any](scope).cookies.get(COOKIE, "")
