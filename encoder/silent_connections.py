"""Closes connections on which an encoder waits for an answer that will not come.

The other end of such a connection is gone, or packets no longer arrive. TCP's timeouts do not notice this while a proxy
or a pooler in between acknowledges packets. So a thread opens another connection and asks the server for the state of
each session for which the encoder waits. An answer is silent if it says that the session itself waits for the encoder,
or that there is no such session. A connection is closed if two conditions hold for some time: all answers are silent
and show no change of state, and no byte is sent, acknowledged or received. The thread that used the connection then
connects again. A new connection is closed if its first statements take too long.

The bytes are counted only on Linux. On other systems, only new connections are closed.
"""

import fcntl
import os
import select
import socket
import struct
import sys
import termios
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
import structlog
from psycopg.pq import TransactionStatus

from db.engine import Database, end_wait
from db.roles import Role

log = structlog.get_logger()
Waiting = psycopg.Connection[Any]

EVERY_SECONDS = 0.2
LONGEST_PAUSE = 5.0  # largest number of seconds between two questions about a long statement
# A proxy can still send bytes that it has acknowledged. So a connection is closed only after SILENT_SECONDS, plus one
# second for each SLOWEST_BYTES of its statement.
SILENT_SECONDS = 0.5
SLOWEST_BYTES = 100_000
# An idle session is ended only after this time. Until then, it proves to waiting queries that an encoder is connected
# (`encoder_alive`), while the encoder connects again. Any other session is ended at once.
END_AFTER_SECONDS = 5.0
ANSWER_SECONDS = 2  # time limit of a question to the server
# Time limit of the statements that SQLAlchemy runs on each new connection. The pid of the connection's session is known
# only after these statements, so the server cannot be asked about the session before.
START_SECONDS = 10.0

_STATES = """
select asked.pid, coalesce(a.state, ''), a.state_change,
    a.pid is null or a.state like 'idle%%' or a.state = 'active' and a.wait_event = 'ClientRead'
from unnest(%s::integer[]) asked(pid)
left join pg_stat_activity a on a.pid = asked.pid and a.usename = current_user
"""
_END = """
select pg_terminate_backend(a.pid) from pg_stat_activity a
join unnest(%s::integer[], %s::timestamptz[]) ended(pid, since) on a.pid = ended.pid and a.state_change = ended.since
where a.usename = current_user
"""
_BYTES = struct.Struct("=120xQQ")  # the bytes acknowledged and received, in the kernel's tcp_info

Traffic = tuple[int, int]  # bytes that the other end has acknowledged, and bytes received
State = tuple[datetime | None, Traffic]  # when the server's state changed, and the traffic at the time of the answer


@dataclass
class _Watched:
    """`silent_in` is the state of the newest answer if this answer was silent, otherwise None. `silent_since` is the
    time of the first answer with this state."""

    due: float  # time of the next question
    pause: float = EVERY_SECONDS
    changed_at: datetime | None = None
    silent_in: State | None = None
    silent_since: float = 0.0


class SilentConnections(threading.Thread):
    """Watches the connections of the encoder role to the write address until `stop` is set."""

    def __init__(self, database: Database, stop: threading.Event) -> None:
        super().__init__(name="silent connections", daemon=True)
        self._database = database
        self._stop_event = stop
        self._watched: dict[Waiting, _Watched] = {}
        # the bytes that each connection had sent when it was last seen without a statement
        self._sent_before: WeakKeyDictionary[Waiting, int] = WeakKeyDictionary()
        self._to_end: dict[tuple[int, datetime], float] = {}  # a session's pid and state_change -> when to end it
        self._cannot_ask = False

    def run(self) -> None:
        while not self._stop_event.wait(EVERY_SECONDS):
            now = time.monotonic()
            self._database.end_slow_starts(START_SECONDS)
            waiting = self._waiting()
            self._watched = {each: self._watched.get(each) or _Watched(now + EVERY_SECONDS / 2) for each in waiting}
            due = {each: pid for each, pid in waiting.items() if self._watched[each].due <= now}
            if due or any(end <= now for end in self._to_end.values()):
                try:
                    self._ask(due, now)
                    self._cannot_ask = False
                except psycopg.Error as error:  # the threads that use the connections report an outage
                    if not self._cannot_ask:
                        log.warning("half-open connections to the database cannot be found", error=str(error))
                    self._cannot_ask = True

    def _waiting(self) -> dict[Waiting, int]:
        found = {}
        for each, pid in self._database.sessions().items():
            if each.pgconn.transaction_status == TransactionStatus.ACTIVE:
                found[each] = pid
            elif traffic := _traffic(each):
                self._sent_before[each] = traffic[0]
        return found

    def _ask(self, waiting: dict[Waiting, int], now: float) -> None:
        options = {**self._database.connect_options(Role.ENCODER), "connect_timeout": ANSWER_SECONDS}
        with psycopg.connect(**options, autocommit=True) as conn:
            deadline = threading.Timer(ANSWER_SECONDS, end_wait, [conn])
            deadline.start()
            try:
                pids = [pid for each, pid in waiting.items() if each.info.user == conn.info.user]
                states = {pid: state for pid, *state in conn.execute(_STATES, (pids,)).fetchall()}
                for each, pid in waiting.items():
                    if pid in states:
                        self._judge(each, pid, *states[pid], now=now)
                over = [key for key, end in self._to_end.items() if end <= now]
                if over:
                    conn.execute(_END, ([pid for pid, _ in over], [since for _, since in over]))
                    self._to_end = {key: end for key, end in self._to_end.items() if key not in over}
            finally:
                deadline.cancel()

    def _judge(
        self, each: Waiting, pid: int, state: str, changed_at: datetime | None, waits_for_us: bool, *, now: float
    ) -> None:
        watched, traffic = self._watched[each], _traffic(each)
        unchanged, watched.changed_at = changed_at == watched.changed_at, changed_at
        if not waits_for_us or traffic is None:
            watched.silent_in = None
            watched.pause = min(2 * watched.pause, LONGEST_PAUSE) if unchanged else EVERY_SECONDS
        elif watched.silent_in != (changed_at, traffic):
            watched.silent_in, watched.silent_since, watched.pause = (changed_at, traffic), now, EVERY_SECONDS
        else:
            sent = traffic[0] - self._sent_before.get(each, 0)
            if now - watched.silent_since >= SILENT_SECONDS + sent / SLOWEST_BYTES and _waits(each):
                log.warning("the other end of a connection to the database is gone", pid=pid)
                end_wait(each)
                if changed_at is not None:
                    self._to_end[pid, changed_at] = now + (END_AFTER_SECONDS if state == "idle" else 0)
        watched.due = now + watched.pause


def _waits(connection: Waiting) -> bool:
    """Returns whether the connection still waits and has no unread bytes."""
    try:
        arrived = select.poll()
        arrived.register(connection.pgconn.socket, select.POLLIN)
        return connection.pgconn.transaction_status == TransactionStatus.ACTIVE and not arrived.poll(0)
    except psycopg.Error:  # it has been closed
        return False


def _traffic(connection: Waiting) -> Traffic | None:
    """Returns the numbers of bytes that were acknowledged and received. Returns None on a system other than Linux, for
    a connection without TCP, and while bytes wait to be sent or acknowledged."""
    if sys.platform != "linux":
        return None
    try:
        descriptor = connection.pgconn.socket
        (unsent,) = struct.unpack("=i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))
        with socket.socket(fileno=os.dup(descriptor)) as shared:
            acknowledged, received = _BYTES.unpack_from(shared.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256))
    except (psycopg.Error, OSError, struct.error):
        return None
    return None if unsent else (acknowledged, received)
