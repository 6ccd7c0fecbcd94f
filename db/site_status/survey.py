"""Runs all checks of a site. A check that fails does not keep the others from running."""

from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection, text

from db.embedded import server
from db.engine import Database, open_database
from db.errors import DatabaseError, WindowshopError
from db.settings import Settings
from db.site_status import activity_checks, schema_checks, standby_checks
from db.site_status.finding import Finding, Level, broken, fine, runbook, warning
from db.site_status.probe import probe as run_probe
from db.site_status.settings import StatusSettings

SCHEMA_CHECKS = {
    "roles": schema_checks.every_role,
    "dblink": schema_checks.dblink_rights,
    "extensions": schema_checks.extensions,
    "gateway": schema_checks.gateway_target,
    "settings": schema_checks.database_settings,
    "policies": schema_checks.row_policies,
    "signals": schema_checks.signals,
    "indexes": schema_checks.indexes,
}
ACTIVITY_CHECKS = {
    "encoder": activity_checks.encoder,
    "work": activity_checks.work_list,
    "quarantine": activity_checks.quarantine,
    "watches": activity_checks.watches,
    "webhooks": activity_checks.webhooks,
    "transactions": activity_checks.transactions,
    "connections": activity_checks.connections,
}
MISSING = ("42883", "42P01", "42703", "3F000", "42704")  # SQLSTATEs of a function, table and so on that does not exist
CHECK_SECONDS = 10  # time limit of each statement of a check; an upgrade may hold locks for which a check waits


def survey(settings: Settings, thresholds: StatusSettings, *, probe: bool = False) -> list[Finding]:
    """Return the findings of all checks. With `probe`, also encode a new text and search with it.

    The embedded server is not started. Raises SettingsError for a wrong address.
    """
    if settings.database_url is None and not server.status(settings.home).running:
        return [broken("database", "the embedded server is not running", "windowshop up, or windowshop db start")]
    with open_database(settings) as database:
        try:
            with database.connect(None) as conn:
                findings = _examine(conn, database, thresholds)
        except DatabaseError as error:
            fix = f"{error.hint or ''} {runbook('DatabaseDown')}".strip()
            return [broken("database", error.message, fix)]
        if probe:
            findings.append(run_probe(database, thresholds))
        return findings


def _examine(conn: Connection, database: Database, thresholds: StatusSettings) -> list[Finding]:
    """Run the checks. Raises DatabaseError only before the first check."""
    version = conn.scalar(text("select current_setting('server_version')"))
    conn.rollback()
    findings = [fine("database", f"PostgreSQL {version} answers")]

    def add(name: str, check: Callable[[], Finding]) -> None:
        try:
            with conn.begin():
                conn.execute(text(f"set local statement_timeout = '{CHECK_SECONDS}s'"))
                conn.execute(text("set transaction read only"))
                findings.append(check())
        except DatabaseError as error:
            if fits or error.sqlstate not in MISSING:  # an older schema lacks what some checks read
                findings.append(_failed(name, error))

    fits = True
    add("schema", lambda: schema_checks.schema_revision(conn, database.roles))
    fits = findings[-1].level is Level.FINE
    for name, check in SCHEMA_CHECKS.items():
        add(name, partial(check, conn, database.roles))
    for name, look in ACTIVITY_CHECKS.items():
        add(name, partial(look, conn, thresholds))
    try:
        findings += standby_checks.standbys(conn, database, thresholds.lag_seconds)
    except WindowshopError as error:
        findings.append(_failed("standby", error))
    return findings


def _failed(name: str, error: WindowshopError) -> Finding:
    denied = getattr(error, "sqlstate", None) == schema_checks.INSUFFICIENT_PRIVILEGE
    fix = (
        "Use the administrator's address in WINDOWSHOP_DATABASE_URL"
        if denied
        else error.hint or runbook("DatabaseDown")
    )
    return warning(name, f"could not be checked: {error.message}", fix)
