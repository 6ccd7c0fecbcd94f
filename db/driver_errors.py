"""Translates the errors of psycopg into the errors that users see."""

import psycopg

from db.errors import (
    DatabaseError,
    DatabaseUnreachable,
    EncoderUnavailable,
    LoginRefused,
    StatementRefused,
)


def translated(error: psycopg.Error, address: str = "the database") -> DatabaseError:
    """Return the DatabaseError that tells a user what `error` means."""
    state = error.sqlstate
    message = (error.diag.message_primary or str(error)).strip()
    hint = error.diag.message_hint
    if state is None and isinstance(error, psycopg.OperationalError):
        return _connection_error(message, address)
    kind: type[DatabaseError] = DatabaseError
    if state is not None and state.startswith("WS"):
        kind = EncoderUnavailable
    elif state == "57014":
        kind, hint = StatementRefused, hint or "The statement ran into its time limit. Narrow it, or raise the limit."
    elif isinstance(error, psycopg.DataError) or (state or "")[:2] in ("22", "23", "25", "42", "54"):
        # A DataError without a SQLSTATE comes from the driver, which refuses to send a value such as a text with NUL.
        kind = StatementRefused
    raised = kind(message, hint=hint)
    raised.sqlstate = state
    return raised


_REFUSED = ("password authentication failed", "no password supplied", "is not permitted to log in")
_SOON = ("starting up", "not yet accepting connections", "recovery mode", "shutting down")
_FULL = ("too many connections", "too many clients", "remaining connection slots")


def _connection_error(message: str, address: str) -> DatabaseError:
    """Translate an error of libpq. The error has no SQLSTATE, so only the words of its message show the reason.

    If the message is unknown or in another language, the result still contains the address and a line of the
    message. An address with several hosts has a line for each host. Lines of DETAIL and HINT follow the line with the
    reason.
    """
    lines = message.splitlines() or ["no answer"]
    last = ([line for line in lines if "FATAL:" in line] or lines[:1])[-1]
    cause = last.split("FATAL:")[-1].strip()
    if any(words in message for words in _REFUSED):
        return LoginRefused(
            f"the server at {address} refused the login: {cause}",
            hint="Check the user and password in WINDOWSHOP_DATABASE_URL. docs/operations.md describes the logins.",
        )
    if any(words in message for words in _FULL):
        return DatabaseUnreachable(f"{address}: {cause}", hint='"windowshop db check" lists the limits of the logins.')
    if "does not exist" in message:
        hint = 'Create the database first, for example with "createdb", or correct the address.'
        return DatabaseUnreachable(cause, hint=hint)
    if any(words in message for words in _SOON):
        return DatabaseUnreachable(f"{address}: {cause}", hint="Try again in a moment.")
    return DatabaseUnreachable(
        f"no database answers at {address}: {last}",
        hint="Check WINDOWSHOP_DATABASE_URL and that server. If the variable is unset, the embedded server does not "
        'answer: "windowshop db status" shows its process.',
    )
