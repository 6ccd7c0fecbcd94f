"""The query lane encodes, in batches, the texts and images for which SQL sessions wait.

The lane wakes on NOTIFY, and polls every half second in case a notification is lost. The transaction that locks the
requests of a batch stays open while the batch is encoded. So the requests of an encoder that dies are free for other
encoders immediately, and `transaction_timeout` frees the requests of an encoder that hangs.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
import structlog

from db import tracing
from db.driver_errors import translated
from db.engine import Database
from db.errors import DatabaseError
from db.images import regions
from db.images.decode_pool import DecodePool
from db.images.messages import DecodedImage, DecodeError, DecodeLimits, ImageSource
from db.work import requests
from db.work.requests import Request
from encoder.metrics import EncoderMetrics
from encoder.models.loading import Model, Vectors
from encoder.settings import EncoderSettings

log = structlog.get_logger()
Input = TypeVar("Input")
Answers = list[tuple[list[int], Vectors]]
Refusals = list[tuple[int, str]]

HOUSEKEEPING_SECONDS = 15.0  # shortest time between two calls of `housekeep` on a connection
QUERY_IMAGE_BYTES = 1_500_000_000  # memory limit of the process that decodes images of queries
POLL_SECONDS = 0.5  # without a notification, the lane looks for requests after this time


class QueryLane(threading.Thread):
    """Serves `models` (by model_id) until `stop` is set. While the lane answers requests, `idle` is clear. The catalog
    lane then waits up to a second before each forward pass.

    After a database error the lane connects again. Any other error is stored in `error` and sets `broken`, which ends
    the process.
    """

    def __init__(
        self,
        database: Database,
        settings: EncoderSettings,
        models: Mapping[int, Model],
        *,
        stop: threading.Event,
        broken: threading.Event,
        metrics: EncoderMetrics | None = None,
    ) -> None:
        super().__init__(name="queries")
        self._database = database
        self._settings = settings
        self._models = models
        self._stop_event = stop
        self._broken = broken
        self._metrics = metrics or EncoderMetrics()
        limits = DecodeLimits(settings.hung_seconds / 2, settings.max_file_bytes, settings.max_pixels)
        row = max(model.tower.shape.bytes for model in models.values())
        self._decoder = DecodePool(1, 1, settings.query_batch * row, limits, QUERY_IMAGE_BYTES)
        self._seconds_each = 0.0  # a moving average of the compute seconds per query
        self.idle = threading.Event()
        self.ready = threading.Event()
        self.error: BaseException | None = None
        self.idle.set()

    def run(self) -> None:
        """Serves until `stop` is set or an error is stored, and then stops the decoder process."""
        try:
            self._decoder.start()
            self._run()
        finally:
            self._decoder.close()

    def _run(self) -> None:
        wait = 0.02
        while not self._stop_event.is_set():
            try:
                with requests.connect(self._database) as conn:
                    self._serve(conn)
            except (DatabaseError, psycopg.Error) as error:
                self.idle.set()
                known = error if isinstance(error, DatabaseError) else translated(error)
                log.warning("the query lane starts over after a database error", error=known.message)
                wait = 0.02 if self.ready.is_set() else min(wait * 2, 5.0)
                self.ready.clear()
                self._stop_event.wait(wait)
            except BaseException as error:
                self.error = error
                self.idle.set()
                self._broken.set()
                raise

    def _serve(self, conn: psycopg.Connection[Any]) -> None:
        # The connections of the catalog lane do not get these two settings, because its commits must be durable and
        # its transactions may take longer than `hung_seconds`.
        conn.execute("set synchronous_commit = off")
        conn.execute(f"set transaction_timeout = '{self._settings.hung_seconds}s'")
        conn.execute(f"listen {requests.CHANNEL}")
        requests.report_alive(conn, list(self._models))  # at once; each heartbeat repeats the report
        self.ready.set()
        cleaned = 0.0
        while not self._stop_event.is_set():
            answered = self._answer_batch(conn)
            if time.monotonic() - cleaned > HOUSEKEEPING_SECONDS:
                requests.housekeep(conn, self._settings.cache_rows)
                cleaned = time.monotonic()
            if answered:
                continue
            self.idle.set()
            for _ in conn.notifies(timeout=POLL_SECONDS, stop_after=1):
                pass
        self.ready.clear()

    def _answer_batch(self, conn: psycopg.Connection[Any]) -> bool:
        limit = self._settings.query_batch
        if self._seconds_each:
            limit = max(1, min(limit, int(self._settings.query_seconds / self._seconds_each)))
        batch = requests.begin(conn, list(self._models), limit)
        if not batch:
            requests.finish(conn)
            return False
        self.idle.clear()
        started, began_ns = time.perf_counter(), time.time_ns()
        answers, refusals = self._encode(batch)
        seconds = time.perf_counter() - started
        if tracing.is_on():
            for trace in requests.traces(conn, [request.id for request in batch]):
                figures = {"windowshop.batch.size": len(batch), "windowshop.batch.refused": len(refusals)}
                tracing.record("encode queries", "consumer", trace, began_ns, time.time_ns(), figures)
        self._metrics.query_batch((request.waited_seconds for request in batch), seconds)
        each = seconds / len(batch)
        self._seconds_each = each if not self._seconds_each else 0.8 * self._seconds_each + 0.2 * each
        requests.finish(conn, answers, refusals)
        return True

    def _encode(self, batch: list[Request]) -> tuple[Answers, Refusals]:
        answers: Answers = []
        refusals: Refusals = []
        for model_id, model in self._models.items():
            mine = [request for request in batch if request.model_id == model_id]
            texts = [(request, request.payload.decode()) for request in mine if request.kind == "t"]
            self._encode_alike(texts, model.encode_texts, answers, refusals)
            sent = [request for request in mine if request.kind == "i"]
            if sent:
                self._encode_images(model, sent, answers, refusals)
        return answers, refusals

    def _encode_images(self, model: Model, sent: list[Request], answers: Answers, refusals: Refusals) -> None:
        """Decode the images in another process, as the catalog lane does, because an image of unknown origin can crash
        its decoder. Then encode the pixels."""
        sources = [ImageSource("", "", *regions.split(request.payload)) for request in sent]
        decoding = self._decoder.begin(sources, model.tower.shape)
        try:
            decoded: list[tuple[int, DecodedImage]] = []
            for index, result in enumerate(decoding.results()):
                if isinstance(result, DecodeError):
                    refusals.append((sent[index].id, result.reason))
                else:
                    decoded.append((index, result))
            pixels = decoding.pixels(decoded) if decoded else []
            images = [(sent[index], array) for (index, _), array in zip(decoded, pixels, strict=True)]
            self._encode_alike(images, model.encode_pixels, answers, refusals)
        finally:
            decoding.close()

    def _encode_alike(
        self,
        wanted: Sequence[tuple[Request, Input]],
        encode: Callable[[list[Input]], Vectors],
        answers: Answers,
        refusals: Refusals,
    ) -> None:
        """Encode each distinct input once. If the batch fails, encode each input alone, so that one bad input does not
        make the other inputs fail."""
        if not wanted:
            return
        distinct = {request.key: value for request, value in wanted}
        row = {key: n for n, key in enumerate(distinct)}
        try:
            vectors = encode(list(distinct.values()))
        except Exception as error:
            if len(distinct) > 1:
                for key in distinct:
                    self._encode_alike([each for each in wanted if each[0].key == key], encode, answers, refusals)
                return
            log.exception("a query could not be encoded")
            reason = f"the model failed on this query: {type(error).__name__}"
            refusals.extend((request.id, reason) for request, _ in wanted)
            return
        answers.append(([request.id for request, _ in wanted], vectors[[row[request.key] for request, _ in wanted]]))
