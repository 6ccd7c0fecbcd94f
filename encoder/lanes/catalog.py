"""The catalog lane claims titles and images in batches, encodes them, and stores the vectors.

    claim (start decoding) -> prepare (wait for pixels) -> model (forward pass) -> write (store, delete items)

Images on other hosts are fetched in parallel with the pipeline. They enter the pipeline when the model has no title and
no image file to encode. No transaction stays open while a batch is decoded or encoded. While an item is tried alone,
the pipeline holds no other item: if the process dies, that item is known to be the cause.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from uuid import UUID

import numpy as np
import structlog
from sqlalchemy import Connection

from db.errors import DatabaseError
from db.fetching.fetcher import Fetcher
from db.images.decode_pool import DecodePool
from db.images.messages import DecodedImage, DecodeError, DecodeLimits, ImageSource
from db.work import fetching
from db.work import items as work
from db.work.items import ImageMetadata, Item, Part
from encoder.lanes.batches import ClaimedBatch, Counters, EncodedBatch, PreparedBatch
from encoder.lanes.pipeline import Stage
from encoder.lanes.remote_images import RemoteImages
from encoder.models.loading import Features, Model, Vectors, model_threads, split
from encoder.settings import EncoderSettings

log = structlog.get_logger()

PARTS: tuple[Part, ...] = ("title", "image")
DEADLOCK = "40P01"
DEPTH = 2  # at most this many batches wait between two stages
_SLOT_BYTES = 128 * 2**20  # at most this many bytes of pixels in an image batch


class CatalogLane:
    """Encodes the work items that one worker claims. `read` runs in a thread, and each stage runs in one or more
    threads."""

    def __init__(
        self,
        worker: UUID,
        models: Mapping[int, Model],
        settings: EncoderSettings,
        counters: Counters | None = None,
        before_forward: Callable[[], None] = lambda: None,
        when_done: Callable[[], None] = lambda: None,
        on_batch: Callable[[str, int], None] = lambda _part, _size: None,
    ) -> None:
        self.counters = counters or Counters()
        self._worker = worker
        self._models = models
        device = next(iter(models.values())).device
        self._threads = model_threads(device)
        rows = {number: model.tower.shape.bytes for number, model in models.items()}
        slot = min(settings.images_a_batch(device) * max(rows.values()), _SLOT_BYTES)
        self._limits: dict[Part, dict[int, int]] = {
            "title": dict.fromkeys(models, settings.titles_a_batch(device)),
            "image": {n: max(1, min(settings.images_a_batch(device), slot // row)) for n, row in rows.items()},
        }
        limits = DecodeLimits(settings.decode_seconds, settings.max_file_bytes, settings.max_pixels)
        # The pool needs a slot for each image batch that can be open. Claim and prepare have one batch each, the queue
        # after each of them has DEPTH batches, and each model thread has one batch.
        slots = 2 * DEPTH + 2 + self._threads
        self._pool = DecodePool(settings.decoders(), slots, max(slot, *rows.values()), limits)
        self._fetcher = Fetcher(settings.fetch_limits())
        self._settings = settings
        self._remote = self._remote_images()
        self._before_forward = before_forward
        self._when_done = when_done
        self._on_batch = on_batch
        self._in_flight = 0
        self._finished = threading.Condition()

    def read(self, conn: Connection, stop: threading.Event, *, once: bool) -> Iterator[ClaimedBatch]:
        """Yields claimed batches until `stop` is set or, with `once`, until `work.is_idle` finds nothing to encode.

        The serving model's items come first. Each of the other models gets a batch only when the models before it have
        no items.
        """
        was_reported = False
        while not stop.is_set():
            with conn.begin():  # read in each round, because models may be promoted or retired
                current = [row.model_id for row in work.models(conn) if row.model_id in self._models]
            self.counters.failed += self._remote.settle(conn, current)
            idle = True
            for model_id in current:
                self._remote.claim(conn, model_id)
                for claimed in self._claims(conn, model_id):
                    idle = was_reported = False
                    yield from self._begin(stop, claimed)
                    if stop.is_set():
                        return
                if not idle:
                    break
            if idle:
                with conn.begin():
                    done = work.is_idle(conn, current)
                if done:
                    if not was_reported:
                        self._when_done()
                        was_reported = True
                    if once:
                        return
                self._remote.wait(stop, 0.2 if once else 1.0)

    def stages(self, reading: Connection, writing: Connection) -> list[Stage]:
        """Returns the stages that follow the claim. Only the stage `prepare` uses `reading`, and only the stage `write`
        uses `writing`."""
        return [
            Stage("prepare", lambda claimed: self.prepare(reading, claimed)),
            Stage("model", self.encode, self._threads),
            Stage("write", lambda encoded: self.write(writing, encoded)),
        ]

    def prepare(self, conn: Connection, claimed: ClaimedBatch) -> PreparedBatch | None:
        """Returns the batch for the model, or None if no image remains. Images that cannot be decoded are marked as
        failed and leave the batch."""
        batch = self._titles(claimed) if claimed.part == "title" else self._images(conn, claimed)
        if claimed.errors:
            with conn.begin():
                for item, error in claimed.errors:
                    work.fail(
                        conn,
                        self._worker,
                        claimed.model_id,
                        claimed.part,
                        item,
                        error.reason,
                        final=error.final,
                    )
                    log.warning("image not encoded", uri=item.uri, reason=error.reason)
            self.counters.failed += len(claimed.errors)
        if not batch.items:
            if batch.decoding is not None:
                batch.decoding.close()
            self._finish()
            return None
        return batch

    def encode(self, batch: PreparedBatch) -> EncodedBatch:
        self._on_batch(batch.part, len(batch.items))
        made: list[Vectors | str] = []
        if batch.rows:
            self._before_forward()
            made = self._forward(self._models[batch.model_id], batch.features, len(batch.rows))
        if batch.decoding is not None:
            batch.decoding.close()
        known = {source: vector[None] for source, vector in batch.known.items()}
        return EncodedBatch(batch, [known[s] if s in known else made[batch.rows[s]] for s in batch.sources])

    def write(self, conn: Connection, encoded: EncodedBatch) -> None:
        try:
            stored = self._store(conn, encoded)
        except DatabaseError as error:
            if error.sqlstate != DEADLOCK:
                raise
            # Another session locked the same rows in another order, for example to delete the products. A second
            # attempt can succeed.
            stored = self._store(conn, encoded)
        batch = encoded.batch
        self.counters.failed += len(batch.items) - stored
        setattr(self.counters, batch.part, getattr(self.counters, batch.part) + stored)
        self._finish()

    def _store(self, conn: Connection, encoded: EncodedBatch) -> int:
        """Store the vectors and failures of a batch in one transaction. Returns the number of items that have a
        vector."""
        batch = encoded.batch
        good = [n for n, vector in enumerate(encoded.vectors) if not isinstance(vector, str)]
        with conn.begin():
            # Failures are recorded in the order of product_id, and before `complete` locks watches, so that two of
            # these transactions do not wait for each other.
            results = zip(batch.items, encoded.vectors, strict=True)
            for item, reason in sorted(results, key=lambda one: one[0].product_id):
                if isinstance(reason, str):
                    work.fail(conn, self._worker, batch.model_id, batch.part, item, reason, final=False)
            if good:
                items = [batch.items[n] for n in good]
                if batch.part == "image":
                    work.record_image_metadata(conn, items, [batch.metadata[n] for n in good])
                vectors = np.concatenate([encoded.vectors[n] for n in good])
                sources = [batch.sources[n] for n in good]
                work.complete(conn, self._worker, batch.model_id, batch.part, items, sources, vectors)
        return len(good)

    def start_over(self) -> None:
        """Discard the batches of a pipeline that ended with an error."""
        self._pool.abandon()
        self._remote.close()
        self._remote = self._remote_images()
        self._in_flight = 0

    def close(self) -> None:
        self._fetcher.close()
        self._remote.close()
        self._pool.close()

    def _remote_images(self) -> RemoteImages:
        return RemoteImages(self._worker, self._fetcher, self._settings, max(self._limits["image"].values()))

    def _claims(self, conn: Connection, model_id: int) -> Iterator[ClaimedBatch]:
        """Yields a batch of titles and a batch of image files, if there are such items. If there are neither, yields a
        batch of fetched images, if there are any."""
        is_empty = True
        for part in PARTS:
            with conn.begin():
                items = work.claim(conn, self._worker, model_id, part, self._limits[part][model_id])
            if items:
                is_empty = False
                yield ClaimedBatch(model_id, part, items)
        images = self._remote.take(model_id, self._limits["image"][model_id]) if is_empty else []
        if images:
            items = [image.item for image in images]
            with conn.begin():
                fetching.begin(conn, self._worker, model_id, items)
            yield ClaimedBatch(model_id, "image", items, [image.data for image in images])

    def _begin(self, stop: threading.Event, claimed: ClaimedBatch) -> Iterator[ClaimedBatch]:
        alone = claimed.items[0].batch_limit == 1
        if alone:
            self._wait_until_empty(stop)
        if claimed.part == "image":
            self._begin_to_decode(claimed)
        with self._finished:
            self._in_flight += 1
        yield claimed
        if alone:
            self._wait_until_empty(stop)

    def _begin_to_decode(self, claimed: ClaimedBatch) -> None:
        sources: list[ImageSource] = []
        kept: list[Item] = []
        fetched: Sequence[bytes | None] = claimed.fetched or [None] * len(claimed.items)
        for item, data in zip(claimed.items, fetched, strict=True):
            if item.uri is None or (item.folder is None and data is None):
                claimed.errors.append((item, DecodeError("the image is not in the catalog any more", final=True)))
            else:
                kept.append(item)
                sources.append(ImageSource(item.folder or "", item.uri, data))
        claimed.items = kept
        if sources:
            claimed.decoding = self._pool.begin(sources, self._models[claimed.model_id].tower.shape)

    def _titles(self, claimed: ClaimedBatch) -> PreparedBatch:
        titles = [item.title for item in claimed.items]
        sources = [hashlib.sha256(title.encode()).digest() for title in titles]
        distinct = dict(zip(sources, titles, strict=True))
        features = self._models[claimed.model_id].prepare_texts(list(distinct.values()))
        rows = {source: n for n, source in enumerate(distinct)}
        return PreparedBatch(claimed.model_id, "title", claimed.items, sources, [], rows, features)

    def _images(self, conn: Connection, claimed: ClaimedBatch) -> PreparedBatch:
        decoded: list[tuple[Item, int, DecodedImage]] = []
        if claimed.decoding is not None:
            results = claimed.decoding.results()
            for index, (item, result) in enumerate(zip(claimed.items, results, strict=True)):
                if isinstance(result, DecodeError):
                    claimed.errors.append((item, result))
                else:
                    decoded.append((item, index, result))
        by_source = {image.sha256: (index, image) for _, index, image in decoded}
        with conn.begin():
            known = work.known_vectors(conn, claimed.model_id, list(by_source))
        for source in known:
            del by_source[source]
        rows = {source: n for n, source in enumerate(by_source)}
        metadata = [ImageMetadata(image.sha256, image.width, image.height, image.phash) for _, _, image in decoded]
        items, sources = [item for item, _, _ in decoded], [each.sha256 for each in metadata]
        batch = PreparedBatch(claimed.model_id, "image", items, sources, metadata, rows, {})
        batch.decoding, batch.known = claimed.decoding, known
        if claimed.decoding is not None and by_source:
            batch.features = self._models[claimed.model_id].prepare_pixels(claimed.decoding.pixels(by_source.values()))
        return batch

    def _forward(self, model: Model, features: Features, size: int) -> list[Vectors | str]:
        """Returns, for each input of the batch, its vector or the reason why it has none. A batch may fail because it
        needs too much memory or because one input is bad. So a failed batch is halved and each half is encoded, if
        necessary down to single inputs."""
        try:
            vectors = model.forward(features)
            return [vectors[n : n + 1] for n in range(size)]
        except Exception as error:
            if size == 1:
                return [f"the model failed: {type(error).__name__}: {error}"]
            log.warning("a batch failed and is halved", size=size, error=f"{type(error).__name__}: {error}"[:200])
        half = size // 2
        return self._forward(model, split(features, 0, half), half) + self._forward(
            model, split(features, half, size), size - half
        )

    def _finish(self) -> None:
        with self._finished:
            self._in_flight -= 1
            self._finished.notify_all()

    def _wait_until_empty(self, stop: threading.Event) -> None:
        with self._finished:
            while self._in_flight and not stop.is_set():
                self._finished.wait(0.5)
