"""Closes the connections of an encoder on which it waits in vain.

The other end of such a connection is gone, or packets no longer arrive. TCP's timeouts do not notice this while a proxy
or a pooler in between acknowledges packets. So a thread asks the server, over a new connection, what it does for each
connection on which the encoder has waited for EVERY_SECONDS. If the server itself waits for the encoder, or has no such
session, nothing will arrive. The thread then closes the connection, and the encoder's other threads connect again.
If the server still has the session, the thread ends it too.
"""

import select
import threading
import time
from contextlib import suppress
from typing import Any

import psycopg
import structlog

from db.engine import CONNECT, Database, end_wait
from db.roles import Role

log = structlog.get_logger()
Waiting = psycopg.Connection[Any]

EVERY_SECONDS = 0.2
LONGEST_PAUSE = 5.0  # seconds between two questions about a statement that runs for long
# An idle session is ended after this time: it shows waiting queries that an encoder is connected (`encoder_alive`). Any
# other session may hold locks, and is ended at once.
END_AFTER_SECONDS = 5.0
PATIENCE_SECONDS = 2  # for a new connection to the server, and for the server's answer

# `idle_seconds` is at least the time since the encoder was seen waiting. If the server has been idle for longer, the
# encoder does not wait for a statement that the server has received.
_IDLE = """
select asked.pid, coalesce(a.state, '') from unnest(%(pids)s::integer[]) asked(pid)
left join pg_stat_activity a on a.pid = asked.pid and a.usename = current_user
where a.pid is null
   or (a.state like 'idle%%' or a.state = 'active' and a.wait_event = 'ClientRead')
      and clock_timestamp() - a.state_change > make_interval(secs => %(idle_seconds)s)
"""
_END = "select pg_terminate_backend(pid) from pg_stat_activity where pid = any(%s) and usename = current_user"


class SilentConnections(threading.Thread):
    """Watches the connections of the encoder role until `stop` is set. The pauses between two questions about the same
    statement grow up to LONGEST_PAUSE."""

    def __init__(self, database: Database, stop: threading.Event) -> None:
        super().__init__(name="silent connections", daemon=True)
        self._database = database
        self._stop_event = stop
        self._to_end: dict[int, float] = {}  # the session's process, and the time at which the session is ended

    def run(self) -> None:
        pauses: dict[Waiting, tuple[float, float]] = {}  # the time of the next question, and the pause after it
        while not self._stop_event.wait(EVERY_SECONDS):
            now = time.monotonic()
            waiting = self._database.waiting()
            pauses = {each: pauses.get(each, (now + EVERY_SECONDS / 2, EVERY_SECONDS)) for each in waiting}
            due = {each: pid for each, pid in waiting.items() if pauses[each][0] <= now}
            for each in due:
                pause = min(2 * pauses[each][1], LONGEST_PAUSE)
                pauses[each] = (now + pause, pause)
            if due or any(end <= now for end in self._to_end.values()):
                with suppress(psycopg.Error):  # the threads that use the connections report the outage
                    self._ask(due, now)

    def _ask(self, waiting: dict[Waiting, int], since: float) -> None:
        address = self._database.url(Role.ENCODER).set(drivername="postgresql").render_as_string(hide_password=False)
        options: dict[str, Any] = {**CONNECT, "connect_timeout": PATIENCE_SECONDS}
        with psycopg.connect(
            address, autocommit=True, fallback_application_name="windowshop encoder", **options
        ) as conn:
            deadline = threading.Timer(PATIENCE_SECONDS, end_wait, [conn])
            deadline.start()
            try:
                pids = [pid for each, pid in waiting.items() if each.info.user == conn.info.user]
                idle = dict(conn.execute(_IDLE, {"pids": pids, "idle_seconds": time.monotonic() - since}).fetchall())
                for each, pid in waiting.items():
                    if pid in idle and _waits_in_vain(each):
                        log.warning("the other end of a connection to the database is gone", pid=pid)
                        end_wait(each)
                        self._to_end[pid] = since + (END_AFTER_SECONDS if idle[pid] == "idle" else 0)
                over = [pid for pid, end in self._to_end.items() if end <= since]
                if over:
                    conn.execute(_END, (over,))
                    self._to_end = {pid: end for pid, end in self._to_end.items() if pid not in over}
            finally:
                deadline.cancel()


def _waits_in_vain(connection: Waiting) -> bool:
    """Returns whether the connection still waits, and no bytes have arrived that its thread has yet to read."""
    try:
        arrived = select.poll()
        arrived.register(connection.pgconn.socket, select.POLLIN)
        return connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE and not arrived.poll(0)
    except psycopg.Error:  # it has been closed
        return False
