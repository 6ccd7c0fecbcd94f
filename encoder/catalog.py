"""The catalog lane: claim titles and pictures in batches, encode them, store the vectors.

    read (claim, open, prepare) -> encode (forward pass) -> write (store, strike off the list)

No transaction is open while something is read or encoded. An item that has to be tried alone is alone in the whole
pipeline, so that if it brings the process down it is the one that is blamed.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import structlog
from sqlalchemy import Connection

from db import work
from db.work import Item, Part, Seen
from encoder.errors import ImageRejected
from encoder.images import open_picture, read_file
from encoder.models import Features, Model, Vectors, concatenate, split
from encoder.settings import EncoderSettings

log = structlog.get_logger()

PARTS: tuple[Part, ...] = ("title", "image")


@dataclass(slots=True)
class Batch:
    model_id: int
    part: Part
    items: list[Item]
    sources: list[bytes]  # sha256 of each title or picture
    seen: list[Seen]  # of each picture; empty for titles
    features: Features


@dataclass(slots=True)
class Encoded:
    batch: Batch
    vectors: list[Vectors | str]  # an item each: (1, dimension), or why there is none


@dataclass(slots=True)
class Tally:
    """What a run has done so far; the progress bar reads it."""

    image: int = 0
    title: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        return self.image + self.title + self.failed


class CatalogLane:
    """One worker's way through the work list. `read`, `encode` and `write` each run in a thread of their own."""

    def __init__(
        self,
        worker: UUID,
        models: Mapping[int, Model],
        settings: EncoderSettings,
        readers: int,
        before_forward: Callable[[], None] = lambda: None,
    ) -> None:
        self.tally = Tally()
        self._worker = worker
        self._models = models
        self._settings = settings
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="open")
        self._before_forward = before_forward
        self._in_flight = 0
        self._landed = threading.Condition()

    def read(self, conn: Connection, stop: threading.Event, *, once: bool) -> Iterator[Batch]:
        """Batches ready for the model, until `stop` is set or, with `once`, until nothing is left to do.

        The work of the serving model comes first; others are filled while that one has none.
        """
        limits = {"title": self._settings.title_batch, "image": self._settings.image_batch}
        while not stop.is_set():
            with conn.begin():  # asked each time: another one may serve by now, or be retired
                current = [row.model_id for row in work.models(conn) if row.model_id in self._models]
            idle = True
            for model_id in current:
                for part in PARTS:
                    with conn.begin():
                        items = work.claim(conn, self._worker, model_id, part, limits[part])
                    if items:
                        idle = False
                        yield from self._open(conn, stop, model_id, part, items)
                    if stop.is_set():
                        return
                if not idle:
                    break
            if idle:
                with conn.begin():
                    left = work.outstanding(conn, current)
                if once and left.pending + left.leased == 0:
                    return
                stop.wait(0.2 if once else 1.0)

    def encode(self, batch: Batch) -> Encoded:
        self._before_forward()
        return Encoded(batch, self._forward(self._models[batch.model_id], batch.features, len(batch.items)))

    def write(self, conn: Connection, encoded: Encoded) -> None:
        batch = encoded.batch
        good = [n for n, vector in enumerate(encoded.vectors) if not isinstance(vector, str)]
        with conn.begin():
            if good:
                items = [batch.items[n] for n in good]
                if batch.part == "image":
                    work.image_seen(conn, items, [batch.seen[n] for n in good])
                vectors = np.concatenate([encoded.vectors[n] for n in good])
                sources = [batch.sources[n] for n in good]
                work.complete(conn, self._worker, batch.model_id, batch.part, items, sources, vectors)
            for item, reason in zip(batch.items, encoded.vectors, strict=True):
                if isinstance(reason, str):
                    work.fail(conn, self._worker, batch.model_id, batch.part, item, reason, final=False)
        self.tally.failed += len(batch.items) - len(good)
        setattr(self.tally, batch.part, getattr(self.tally, batch.part) + len(good))
        with self._landed:
            self._in_flight -= 1
            self._landed.notify_all()

    def start_over(self) -> None:
        """Forget what was under way, after the pipeline was torn down."""
        self._in_flight = 0

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _open(
        self, conn: Connection, stop: threading.Event, model_id: int, part: Part, items: list[Item]
    ) -> Iterator[Batch]:
        alone = items[0].attempts > 0
        if alone:
            self._wait_until_empty(stop)
        model = self._models[model_id]
        batch = self._titles(model_id, model, items) if part == "title" else self._images(conn, model_id, model, items)
        if batch is None:
            return
        with self._landed:
            self._in_flight += 1
        yield batch
        if alone:
            self._wait_until_empty(stop)

    def _titles(self, model_id: int, model: Model, items: list[Item]) -> Batch:
        titles = [item.title for item in items]
        sources = [hashlib.sha256(title.encode()).digest() for title in titles]
        return Batch(model_id, "title", items, sources, [], model.prepare_texts(titles))

    def _images(self, conn: Connection, model_id: int, model: Model, items: list[Item]) -> Batch | None:
        """Pictures that cannot be opened are failed here and leave the batch; None when none is left."""
        opened: list[tuple[Item, Seen, Features]] = []
        results = self._pool.map(lambda item: self._open_one(model, item), items)
        for item, result in zip(items, results, strict=True):
            if isinstance(result, ImageRejected):
                with conn.begin():
                    work.fail(conn, self._worker, model_id, "image", item, result.message, final=result.final)
                self.tally.failed += 1
                log.warning("picture not encoded", uri=item.uri, reason=result.message)
            else:
                opened.append((item, *result))
        if not opened:
            return None
        kept, seen, features = zip(*opened, strict=True)
        return Batch(model_id, "image", list(kept), [s.sha256 for s in seen], list(seen), concatenate(features))

    def _open_one(self, model: Model, item: Item) -> tuple[Seen, Features] | ImageRejected:
        """Down to the model's own input size here, so that only as many large pictures as there are readers are in
        memory at once."""
        try:
            if item.folder is None or item.uri is None:
                return ImageRejected(f"{item.uri}: pictures behind an address are not fetched; load local files")
            picture = open_picture(
                read_file(item.folder, item.uri, self._settings.max_file_bytes), self._settings.max_pixels
            )
            seen = Seen(picture.sha256, picture.width, picture.height, picture.phash)
            return seen, model.prepare_images([picture.image])
        except ImageRejected as error:
            return error

    def _forward(self, model: Model, features: Features, size: int) -> list[Vectors | str]:
        """Halve a batch that fails, out of memory or for one bad input, down to the inputs that fail by themselves."""
        try:
            vectors = model.forward(features)
            return [vectors[n : n + 1] for n in range(size)]
        except Exception as error:
            if size == 1:
                return [f"the model failed: {type(error).__name__}: {error}"]
        half = size // 2
        return self._forward(model, split(features, 0, half), half) + self._forward(
            model, split(features, half, size), size - half
        )

    def _wait_until_empty(self, stop: threading.Event) -> None:
        with self._landed:
            while self._in_flight and not stop.is_set():
                self._landed.wait(0.5)
