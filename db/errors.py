"""Defines the errors that a command reports to its user, and the exit code of the command for each error.

    WindowshopError
    ├── SettingsError            a setting or an argument is wrong                    2
    ├── DatabaseError            PostgreSQL refused or failed                         3
    │   ├── DatabaseUnreachable  no connection to the database can be opened
    │   ├── LoginRefused         wrong user or password, or a login without the rights
    │   ├── MissingExtension     pgvector, dblink or pg_trgm is not installed
    │   ├── SchemaMismatch       the schema does not work with this code
    │   ├── DependentObjects     an upgrade would break objects of a site that use our functions
    │   ├── StatementRefused     the statement itself is at fault (syntax, rights, timeout)
    │   └── EncoderUnavailable   a text or image could not be encoded
    ├── EmbeddedServerError      the embedded server cannot be started or stopped     4
    ├── EncoderError             a model or an image fails (see encoder/errors.py)    5
    └── LoaderError              a catalog file fails (see loader/errors.py)          6

A message says what went wrong and where; `hint` says what to do. `db/driver_errors.py` translates driver errors.
"""


class WindowshopError(Exception):
    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SettingsError(WindowshopError):
    exit_code = 2


class DatabaseError(WindowshopError):
    exit_code = 3
    sqlstate: str | None = None


class DatabaseUnreachable(DatabaseError):
    pass


class LoginRefused(DatabaseError):
    pass


class MissingExtension(DatabaseError):
    pass


class SchemaMismatch(DatabaseError):
    pass


class DependentObjects(DatabaseError):
    pass


class StatementRefused(DatabaseError):
    pass


class EncoderUnavailable(DatabaseError):
    pass


class EmbeddedServerError(WindowshopError):
    exit_code = 4


class EncoderError(WindowshopError):
    exit_code = 5


class LoaderError(WindowshopError):
    exit_code = 6
