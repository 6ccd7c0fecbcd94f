"""Runs a thread that renews a worker's lease on the items that the worker has claimed."""

import os
import socket
import threading
import time
import uuid

import structlog

from db.engine import Database
from db.errors import DatabaseError
from db.roles import Role
from db.work import items as work

log = structlog.get_logger()


class Heartbeat(threading.Thread):
    """Renews a lease of `lease` seconds after each third of this time, so that one failed renewal does not lose the
    lease. A DatabaseError is logged. Any other error is stored in `error` and sets `stop`, which ends the process."""

    def __init__(self, database: Database, worker: uuid.UUID, device: str, lease: int, stop: threading.Event) -> None:
        super().__init__(name="heartbeat")
        self.error: BaseException | None = None
        self._database, self._worker, self._device, self.lease = database, worker, device, lease
        self._stop_event = stop
        self.beat()  # the worker needs a lease before it claims items

    def beat(self) -> None:
        with self._database.connect(Role.ENCODER) as conn, conn.begin():
            work.heartbeat(conn, self._worker, socket.gethostname(), os.getpid(), self._device, self.lease)
        self._beat_at = time.monotonic()

    @property
    def age(self) -> float:
        """Returns the seconds since the last heartbeat."""
        return time.monotonic() - self._beat_at

    def run(self) -> None:
        while not self._stop_event.wait(self.lease / 3):
            try:
                self.beat()
            except DatabaseError as error:
                log.warning("the heartbeat failed", error=error.message)
            except BaseException as error:
                self.error = error
                self._stop_event.set()
                raise
