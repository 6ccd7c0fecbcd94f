"""Runs the web service at a port. Its queries get their vectors from the query cache or from an encoder in a thread."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any
from zlib import crc32

import httpx
import numpy as np
from litestar.handlers import HTTPRouteHandler
from numpy.typing import NDArray
from sqlalchemy import text

from db.engine import Database
from db.work import requests
from web.app import ONLY_V1, PROBES, SHARED, UNVERSIONED
from web.server import running
from web.settings import WebSettings

if TYPE_CHECKING:
    from encoder.models.loading import Model

# The routes that the OpenAPI document describes, each with its path.
ROUTES: list[tuple[str, HTTPRouteHandler]] = [
    *(("/v1" + min(route.paths), route) for route in (*ONLY_V1, *SHARED)),
    *((min(route.paths), route) for route in (*UNVERSIONED, *PROBES)),
]
DIMENSION = 24
PRODUCTS = 60
CACHED = ("bag", "black leather backpack", "running shoes", "red", "laces")
SETTINGS = WebSettings(api_keys="off", rate_per_address=0, rate_per_key=0, metrics_port=None, port=0)

LONG_DEADLINE = SETTINGS.model_copy(update={"encode_ms": 30_000, "deadline_ms": 60_000})  # for a busy machine

Serve = Callable[..., AbstractContextManager[httpx.Client]]


def unit_vectors(count: int, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def cache(conn: Any, kind: bytes, payload: bytes, query: str | None, seed: int) -> None:
    """Put a random vector of a text (kind t) or an image (kind i) into the query cache. Then no encoder is needed."""
    conn.execute(
        text(
            "insert into shop_private.query_embedding (model_id, key, query, embedding) values "
            "(1, sha256(cast(:payload as bytea)), :query, cast(:v as halfvec)) on conflict do nothing"
        ),
        {"payload": kind + payload, "query": query, "v": str(unit_vectors(1, seed)[0].tolist())},
    )


@contextmanager
def served(database: Database, settings: WebSettings) -> Iterator[httpx.Client]:
    with running(database, settings) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


@contextmanager
def answering(database: Database, *, refuse: str | None = None) -> Iterator[None]:
    """Run an encoder that answers every new query with a vector that depends on the query's bytes only. With `refuse`,
    the encoder refuses every query and gives `refuse` as the reason."""
    stop, ready = threading.Event(), threading.Event()

    def work() -> None:
        with requests.connect(database) as conn:
            requests.report_alive(conn, [1])
            ready.set()
            while not stop.is_set():
                batch = requests.begin(conn, [1], 32)
                if refuse:
                    requests.finish(conn, refusals=[(one.id, refuse) for one in batch])
                else:
                    requests.finish(conn, [([one.id], unit_vectors(1, crc32(one.payload))) for one in batch])
                stop.wait(0.005)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert ready.wait(60)
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def encoding(database: Database, models: dict[int, "Model"]) -> Iterator[None]:
    """Run an encoder in a thread of this process. It encodes the catalog and answers queries."""
    from encoder.service import run
    from encoder.settings import EncoderSettings

    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=run,
        args=(database, models, EncoderSettings(hung_seconds=60)),
        kwargs={"stop": stop, "on_ready": ready.set},
    )
    thread.start()
    try:
        assert ready.wait(60)
        yield
    finally:
        stop.set()
        thread.join()
