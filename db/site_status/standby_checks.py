"""Checks whether the standbys replay what the primary has written.

The age of the last replayed transaction says nothing while the primary writes nothing. So the check notes how far the
primary has written, and waits until the standbys have replayed that much, but no longer than the accepted lag.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from db import addresses
from db.engine import Database
from db.errors import DatabaseError
from db.site_status.activity_checks import unseen
from db.site_status.finding import Finding, broken, fine, runbook, warning

POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class _Behind:
    """A standby that has not yet replayed what the primary had written. `since` is the time of the last transaction
    that the standby has replayed."""

    name: str
    size: float  # bytes that are not replayed
    since: datetime | None


def standbys(primary: Connection, database: Database, lag_seconds: float) -> list[Finding]:
    """Examine the standbys that are connected to `primary`. If the read address differs from the write address, also
    examine each server at the read address."""
    elsewhere = database.readers() if database.read != database.write else []
    readers, lost = dict[str, Connection](), list[DatabaseError]()
    with ExitStack() as stack:
        for one in elsewhere:
            try:
                read = stack.enter_context(one.connect(None, read=True))
                if read.execute(_IS_STANDBY).scalar_one():
                    readers["the read address" if len(elsewhere) == 1 else addresses.listed(one.read)] = read
            except DatabaseError as error:
                lost.append(error)
        # A warning is enough if another server at the read address answers, because it can run the searches.
        report = warning if len(lost) < len(elsewhere) else broken
        found = [report("read address", error.message, error.hint or runbook("DatabaseDown")) for error in lost]
        if found and report is broken:
            return found
        written = primary.execute(_WRITTEN).scalar_one_or_none()
        if written is None:  # the write address leads to a standby
            return [
                broken(
                    "standby",
                    "WINDOWSHOP_DATABASE_URL leads to a standby, so nothing can be written",
                    runbook("DatabaseDown"),
                )
            ]
        count = len(primary.execute(_CONNECTED, {"written": written}).all())
        hidden = unseen(primary, "standby")
        primary.rollback()
        late = _wait(lambda: _behind(primary, readers, written), lag_seconds)
    if late:
        names = ", ".join(f"{standby.name} ({standby.size / 1e6:,.1f} MB)" for standby in late)
        since = next((standby.since for standby in late if standby.since is not None), None)
        what = f"more than {lag_seconds:g} seconds behind the primary: {names}"
        return [*found, warning("standby", what, runbook("ReplicaLate"), since)]
    if hidden:
        return [*found, hidden]
    if not count and not readers:
        return [*found, fine("standby", "none is connected")]
    return [*found, fine("standby", f"{max(count, len(readers))} replayed what the primary has written")]


def _wait(behind: Callable[[], list[_Behind]], seconds: float) -> list[_Behind]:
    deadline = time.monotonic() + seconds
    while (late := behind()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return late


def _behind(primary: Connection, readers: Mapping[str, Connection], written: str) -> list[_Behind]:
    late = []
    for name, reader in readers.items():
        row = reader.execute(_REPLAYED, {"written": written}).one()
        reader.rollback()
        if row.size > 0:
            late.append(_Behind(name, row.size, row.since))
    if late:
        return late
    rows = primary.execute(_CONNECTED, {"written": written}).all()
    primary.rollback()
    return [_Behind(row.name, row.size, None) for row in rows if row.size > 0]


_IS_STANDBY = text("select pg_is_in_recovery()")
_WRITTEN = text("select pg_current_wal_lsn()::text where not pg_is_in_recovery()")
# A server that was promoted and then started again has no last replayed position. It counts as not behind.
_REPLAYED = text(
    "select coalesce(cast(:written as pg_lsn) - pg_last_wal_replay_lsn(), 0)::float8 as size, "
    "pg_last_xact_replay_timestamp() as since"
)
# A backup and a logical subscriber are no standbys.
_CONNECTED = text(
    "select coalesce(nullif(application_name, ''), client_addr::text, 'standby') as name, "
    "coalesce(cast(:written as pg_lsn) - replay_lsn, 0)::float8 as size from pg_stat_replication r "
    "where state <> 'backup' and not exists (select from pg_replication_slots s "
    "where s.active_pid = r.pid and s.slot_type = 'logical')"
)
