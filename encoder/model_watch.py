"""Notices models that are added while an encoder runs, and loads them."""

import threading
from collections.abc import Callable, Mapping

import structlog

from db.engine import Database
from db.errors import DatabaseError
from db.roles import Role
from db.work import items as work
from db.work.items import ModelRow
from encoder.models.loading import Model

log = structlog.get_logger()

SECONDS = 2.0  # time between two checks of the list of models


class ModelWatch(threading.Thread):
    """Loads each new model while the encoder runs, and then ends the encoder's catalog lane. The process then starts an
    encoder with all models. Until the new encoder runs, the old encoder answers queries. If `load` is None, the thread
    loads no models."""

    def __init__(
        self,
        database: Database,
        models: Mapping[int, Model],
        load: Callable[[ModelRow], Model] | None,
        stop: threading.Event,
    ) -> None:
        super().__init__(name="models")
        self._database = database
        self._models = dict(models)
        self._load = load
        self._stop_event = stop
        self._refused: set[int] = set()  # models that could not be loaded; each is tried once
        self._lock = threading.Lock()
        self._halt: Callable[[], None] = lambda: None
        self._has_new = False

    def run(self) -> None:
        while not self._stop_event.wait(SECONDS):
            if self._load is not None and self._load_new_models(self._load):
                with self._lock:
                    self._has_new = True
                    self._halt()

    def halt(self) -> None:
        """End the catalog lane of the present encoder. Call this only after `stop` is set: `set_halt` then also ends
        the lane of an encoder that starts later."""
        with self._lock:
            self._halt()

    def set_halt(self, halt: Callable[[], None]) -> None:
        """Set the function that ends the catalog lane of the present encoder. If a model was added or `stop` is set,
        the function is called immediately."""
        with self._lock:
            self._halt = halt
            if self._has_new or self._stop_event.is_set():
                halt()

    def take(self) -> dict[int, Model] | None:
        """Returns all models if a model was added since the last call, otherwise None."""
        with self._lock:
            has_new, self._has_new = self._has_new, False
            return dict(self._models) if has_new else None

    def _load_new_models(self, load: Callable[[ModelRow], Model]) -> bool:
        """Load the new models. Returns whether at least one was loaded."""
        try:
            with self._database.connect(Role.ENCODER) as conn:
                rows = work.models(conn)
        except DatabaseError:  # the lanes report this error
            return False
        found = False
        for row in rows:
            if row.model_id in self._models or row.model_id in self._refused:
                continue
            log.info("a model was added", model=row.name)
            try:
                model = load(row)
                model.warm_up()
            except Exception as error:  # the models that are already loaded keep running
                self._refused.add(row.model_id)
                log.warning(
                    "the added model cannot be loaded; start an encoder on the machine that has the model's files",
                    model=row.name,
                    error=f"{type(error).__name__}: {error}",
                )
                continue
            with self._lock:
                self._models[row.model_id] = model
            found = True
        return found
