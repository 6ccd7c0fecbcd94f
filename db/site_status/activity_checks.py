"""Checks the activity of a site: the encoder with its work list and quarantine, watches, webhooks, open transactions,
and connections."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from db.site_status.finding import Finding, broken, fine, runbook, warning
from db.site_status.settings import StatusSettings
from db.work import items as work

COUNTED = 10_000  # the database stops counting here


def encoder(conn: Connection, settings: StatusSettings) -> Finding:
    state = conn.execute(_ENCODER).one_or_none()
    if state is None:
        return broken("encoder", "no model serves, so every search fails", "windowshop model add starter")
    if state.encoder:
        return fine("encoder", f"answers queries of model {state.model}; {state.waiting_queries} queries wait")
    return broken(
        "encoder",
        f"no encoder of model {state.model} is connected, so new texts and images are not encoded",
        f"windowshop encode; {runbook('NoEncoder')}",
        conn.scalar(_LAST_REPORT),
    )


def work_list(conn: Connection, settings: StatusSettings) -> Finding:
    found = work.backlog(conn, [model.model_id for model in work.models(conn)])
    waiting = "10,000 or more" if found.waiting >= COUNTED else f"{found.waiting:,}"
    if found.oldest_seconds > settings.work_seconds:
        return warning(
            "work",
            f"{waiting} titles and images wait; the oldest has been due for {_duration(found.oldest_seconds)}",
            runbook("EncodingLate"),
            _now(conn) - timedelta(seconds=found.oldest_seconds),
        )
    return fine("work", f"{waiting} titles and images wait")


def quarantine(conn: Connection, settings: StatusSettings) -> Finding:
    found = work.backlog(conn, [model.model_id for model in work.models(conn)])
    count = "10,000 or more" if found.quarantined >= COUNTED else f"{found.quarantined:,}"
    if found.quarantined > settings.quarantined:
        return warning(
            "quarantine",
            f"{count} titles and images could not be encoded",
            f"SQL: select * from shop.quarantine; then windowshop retry; {runbook('ItemsQuarantined')}",
            conn.scalar(_FIRST_QUARANTINED),
        )
    return fine("quarantine", f"{count} titles and images are in quarantine")


def watches(conn: Connection, settings: StatusSettings) -> Finding:
    found = conn.execute(_WATCHES).one()
    if found.disabled == 0:
        return fine("watches", f"{found.used} are in use")
    return warning(
        "watches",
        f"{found.disabled} are disabled, such as {found.name} of catalog {found.catalog}: {found.error}",
        "SQL: select catalog, name, error from shop.watch where disabled_at is not null; then delete the watches and "
        "create them again",
        found.since,
    )


def webhooks(conn: Connection, settings: StatusSettings) -> Finding:
    rows = conn.execute(_WEBHOOKS).all()
    waiting = sum(row.waiting for row in rows)
    if disabled := [row for row in rows if row.disabled_at is not None]:
        first = disabled[0]
        return warning(
            "webhooks",
            f"{len(disabled)} of {len(rows)} are disabled, first {first.name}: {first.error}; "
            f"{waiting:,} messages wait",
            f"windowshop webhook test {first.name}",
            first.disabled_at,
        )
    if failing := [row for row in rows if row.error is not None and row.waiting]:
        return warning(
            "webhooks",
            f"{waiting:,} messages wait; the last attempt for {failing[0].name} failed: {failing[0].error}",
            "windowshop webhook list",
            min(row.oldest for row in failing),
        )
    return fine("webhooks", f"{len(rows)} webhooks; {waiting:,} messages wait")


def unseen(conn: Connection, check: str) -> Finding | None:
    """Return a warning if this login may not see what the sessions of other logins do. PostgreSQL then shows NULL."""
    login = conn.scalar(_LOGIN_WITHOUT_RIGHTS)
    if login is None:
        return None
    return warning(
        check,
        f"could not be checked: the login {login} may not see the sessions of other logins",
        f"SQL: grant pg_monitor to {login}",
    )


def transactions(conn: Connection, settings: StatusSettings) -> Finding:
    if found := unseen(conn, "transactions"):
        return found
    oldest = conn.execute(_TRANSACTION).one_or_none()
    if oldest is not None and oldest.seconds > settings.transaction_seconds:
        who = f"process {oldest.pid} of {oldest.login} ({oldest.state or 'state unknown'})"
        return warning(
            "transactions",
            f"{who} has a transaction open for {_duration(oldest.seconds)}, so VACUUM keeps old rows",
            f"SQL: select pg_terminate_backend({oldest.pid}); {runbook('TransactionOld')}",
            oldest.since,
        )
    return fine("transactions", "none is old")


def connections(conn: Connection, settings: StatusSettings) -> Finding:
    if found := unseen(conn, "connections"):
        return found
    used, most = conn.execute(_CONNECTIONS).one()
    if used > settings.connections_share * most:
        return warning("connections", f"{used} of {most} are in use", runbook("ConnectionsScarce"))
    return fine("connections", f"{used} of {most} are in use")


def _now(conn: Connection) -> datetime:
    now: datetime = conn.execute(text("select clock_timestamp()")).scalar_one()
    return now


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


_ENCODER = text("select model, encoder, waiting_queries from shop_private.encoder_state()")
# A killed encoder leaves its last reports: one of its query lane (which encodes queries), and one of its lease.
_LAST_REPORT = text(
    "select greatest((select max(reported_at) from shop_private.query_lane), "
    "(select max(heartbeat_at) from shop_private.worker))"
)
# The due time of a quarantined item is about the time of its last attempt.
_FIRST_QUARANTINED = text("select min(due_at) from shop_private.work where state = 'quarantined'")
_WEBHOOKS = text(
    "select w.name, w.disabled_at, w.error, count(m.webhook_id) as waiting, min(m.created_at) as oldest "
    "from shop_private.webhook w left join shop_private.webhook_message m using (webhook_id) "
    "group by w.webhook_id order by w.disabled_at, w.name"
)
_LOGIN_WITHOUT_RIGHTS = text(
    "select quote_ident(current_user) where not pg_has_role(current_user, 'pg_read_all_stats', 'usage')"
)
# Only client backends count: an autovacuum also has an open transaction, but this transaction keeps no old rows.
# Prepared transactions are not found, because they have no process.
_TRANSACTION = text(
    "select pid, usename as login, state, xact_start as since, "
    "extract(epoch from clock_timestamp() - xact_start)::float8 as seconds from pg_stat_activity "
    "where xact_start is not null and pid <> pg_backend_pid() and backend_type = 'client backend' "
    "order by xact_start limit 1"
)
_CONNECTIONS = text(
    "select count(*), current_setting('max_connections')::integer from pg_stat_activity "
    "where backend_type = 'client backend'"
)
_WATCHES = text(
    "select count(*) filter (where disabled_at is null) as used, count(*) filter (where disabled_at is not null) "
    "as disabled, min(disabled_at) as since, (array_agg(name order by disabled_at, name))[1] as name, "
    "(array_agg(catalog order by disabled_at, name))[1] as catalog, "
    "(array_agg(error order by disabled_at, name))[1] as error from shop.watch"
)
