"""Drops the vector indexes of nearly empty tables before a backfill and builds them after the backfill, because one
build is faster than an index update for each vector."""

import threading
from collections.abc import Sequence

import structlog

from db.engine import Database
from db.errors import DatabaseError
from db.lifecycle import deferred_indexes

log = structlog.get_logger()


class IndexBuild:
    """`defer` drops the indexes, and a call of the object builds them. If `wait` is set, the call returns after the
    build. Otherwise a thread builds the indexes, and the call returns immediately. A call does nothing while such a
    thread runs."""

    def __init__(self, database: Database, model_ids: Sequence[int], *, wait: bool) -> None:
        self._database, self._model_ids, self._wait = database, list(model_ids), wait
        self._thread: threading.Thread | None = None

    def defer(self) -> None:
        deferred = deferred_indexes.defer_vectors(self._database, self._model_ids)
        if deferred:
            log.info("indexes are deferred until the backfill is done", indexes=", ".join(deferred))

    def __call__(self) -> None:
        if self._wait:
            self._build()
        elif self._thread is None or not self._thread.is_alive():
            # The thread is a daemon, so an encoder that stops does not wait for the build. If the build is interrupted,
            # the next encoder builds the indexes.
            self._thread = threading.Thread(target=self._build, name="index", daemon=True)
            self._thread.start()

    def _build(self) -> None:
        try:
            built = deferred_indexes.build_vectors(self._database, self._model_ids)
        except DatabaseError as error:
            log.warning("indexes could not be built", error=error.message, hint='"windowshop index build" builds them.')
        else:
            if built:
                log.info("indexes are built", indexes=", ".join(built))
