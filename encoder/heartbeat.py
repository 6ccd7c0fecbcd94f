"""Runs a thread that reports that the encoder is running, and checks whether the schema still fits this code. The
thread also renews the lease: until the lease ends, no other encoder may take the items that this encoder has
claimed."""

import os
import socket
import threading
import time
import uuid
from collections.abc import Sequence

import structlog
from sqlalchemy import Connection

from db import schema
from db.engine import Database
from db.errors import DatabaseError, SchemaMismatch
from db.roles import Role
from db.work import items as work
from db.work import requests

log = structlog.get_logger()

BEAT_SECONDS = 5.0  # longest pause between two heartbeats


class Heartbeat(threading.Thread):
    """Beats over a connection of its own, so that a slow batch delays no heartbeat. A beat renews the lease for `lease`
    seconds. At least three beats fall into this time, so that one failed beat does not lose the lease. After
    `answer_queries`, a beat also reports that the encoder answers queries for `model_ids`.

    In the thread, a DatabaseError is logged. Any other error is stored in `error` and sets `stop`, which ends the
    process. If the schema does not fit this code, `schema_fault` tells why; otherwise it is None. `is_behind` tells
    whether the schema is newer than this code and still serves it.
    """

    def __init__(
        self,
        database: Database,
        worker: uuid.UUID,
        device: str,
        lease: int,
        model_ids: Sequence[int],
        stop: threading.Event,
    ) -> None:
        super().__init__(name="heartbeat")
        self.error: BaseException | None = None
        self.schema_fault: str | None = None
        self.is_behind = False
        self._database, self._worker, self._device, self.lease = database, worker, device, lease
        self._model_ids = list(model_ids)
        self._answers = False
        self._stop_event, self._wake = stop, threading.Event()
        self.beat()  # the worker needs a lease before it claims items

    def answer_queries(self) -> None:
        """From now on, report that the encoder answers queries, until the thread ends."""
        self._answers = True
        self._wake.set()

    def beat(self) -> None:
        """Renew the lease now, over a new connection."""
        with self._database.connect(Role.ENCODER) as conn:
            self._beat(conn)

    @property
    def age(self) -> float:
        """Returns the seconds since the last heartbeat that reached the database."""
        return time.monotonic() - self._beat_at

    def end(self) -> None:
        """Wake the thread and wait until it has ended. The caller has set `stop`."""
        self._wake.set()
        self.join()

    def run(self) -> None:
        while self._pause():
            try:
                with self._database.connect(Role.ENCODER) as conn:
                    self._beat(conn)
                    while self._pause():
                        self._beat(conn)
            except DatabaseError as error:
                log.warning("the heartbeat failed", error=error.message)
            except BaseException as error:
                self.error = error
                self._stop_event.set()
                raise

    def _pause(self) -> bool:
        """Wait until the next beat. Returns False if the thread must end."""
        self._wake.wait(min(BEAT_SECONDS, self.lease / 3))
        self._wake.clear()
        return not self._stop_event.is_set()

    def _beat(self, conn: Connection) -> None:
        with conn.begin():
            work.heartbeat(conn, self._worker, socket.gethostname(), os.getpid(), self._device, self.lease)
            if self._answers:
                raw = conn.connection.driver_connection
                assert raw is not None
                requests.report_alive(raw, self._model_ids)
        self._beat_at = time.monotonic()
        self._check_schema(conn)

    def _check_schema(self, conn: Connection) -> None:
        fault, is_behind = None, False
        try:
            with conn.begin():
                is_behind = schema.check(conn) != schema.HEAD
        except SchemaMismatch as error:
            fault = error.message
        if (fault, is_behind) != (self.schema_fault, self.is_behind):
            self.schema_fault, self.is_behind = fault, is_behind
            log.warning("the check of the schema has a new result", fault=fault, is_behind=is_behind)
