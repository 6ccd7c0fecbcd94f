"""Provides a shop with a toy model whose vectors are 24 random numbers. A worker does nothing by itself, so a test
decides when the worker makes the calls of an encoder."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, text

from db.catalog import store as catalog
from db.catalog.product import Image, Product
from db.engine import Database
from db.lifecycle.serving import serve_model
from db.roles import Role
from db.settings import Settings
from db.work import items as work
from db.work import requests
from db.work.items import Item, Part
from migrations.model_revisions import NewModel, add_model
from tests.support import large_catalog
from tests.support.databases import Databases, KeptConnections

TOY = NewModel("toy", "toy", "revision 1", 24)
WIDE = NewModel("wide", "wide", "revision 1", 40)
TURNED = NewModel("turned", "turned", "revision 1", 24)


def unit_vectors(count: int, dimension: int = TOY.dimension, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@dataclass
class Worker:
    """A worker of an encoder. Each method is one of the database calls that an encoder makes to encode the catalog."""

    conn: Connection
    model_id: int = 1
    id: UUID = field(default_factory=uuid4)

    def beat(self, lease_seconds: int = 30) -> None:
        work.heartbeat(self.conn, self.id, "host", 1, "cpu", lease_seconds)

    def claim(self, part: Part = "title", limit: int = 10) -> list[Item]:
        return work.claim(self.conn, self.id, self.model_id, part, limit)

    def complete(self, items: Sequence[Item], part: Part = "title", vectors: NDArray[np.float32] | None = None) -> int:
        vectors = unit_vectors(len(items)) if vectors is None else vectors
        return work.complete(self.conn, self.id, self.model_id, part, items, [b"source"] * len(items), vectors)

    def fail(self, item: Item, error: str = "it broke", part: Part = "title", *, final: bool = False) -> None:
        work.fail(self.conn, self.id, self.model_id, part, item, error, final=final)

    def release(self) -> int:
        return work.release(self.conn, self.id)


class Shop:
    """A shop's database. Each method is an action of a test on the database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._open = ExitStack()
        self._kept = KeptConnections(database)  # the connections of `run` and `load`

    def close(self) -> None:
        self._open.close()
        self._kept.close()

    def end_test(self) -> None:
        """Close the connections of `connect`. Those of `run` and `load` stay open for the next test."""
        self._open.close()
        self._kept.reset()

    def connect(self, role: Role | None) -> Connection:
        """Returns a connection that commits every statement. The connection is closed after the test."""
        conn = self._open.enter_context(self.database.connect(role))
        return conn.execution_options(isolation_level="AUTOCOMMIT")

    def run(self, statement: str, **parameters: Any) -> list[Row[Any]]:
        """Run a statement as the administrator. Returns the rows of the result, or an empty list."""
        done = self._kept.connection(None).execute(text(statement), parameters)
        return list(done.all()) if done.returns_rows else []

    def value(self, statement: str, **parameters: Any) -> Any:
        return self.run(statement, **parameters)[0][0]

    def load(self, *products: Product, into: str = "main", image_root: Path | None = Path("/images")) -> Any:
        """Upsert products as `windowshop load` does, with the rights of the app."""
        app = self._kept.connection(Role.APP)
        with app.begin():
            with catalog.staging(app) as stage:
                for product in products:
                    stage(product)
            return catalog.upsert(app, catalog=into, image_root=image_root)

    def add(self, *skus: str, image_count: int = 1) -> None:
        self.load(*(product(sku, image_count=image_count) for sku in skus))

    def worker(self, *, model_id: int = 1, alive: bool = True) -> Worker:
        worker = Worker(self.connect(Role.ENCODER), model_id)
        if alive:
            worker.beat()
        return worker

    def expire(self, worker: Worker) -> None:
        """Set the end of the worker's lease to one second ago."""
        self.run(
            "update shop_private.worker set lease_expires_at = clock_timestamp() - interval '1 second' "
            "where worker_id = :id",
            id=worker.id,
        )

    def encode_all(self, model_id: int = 1, dimension: int = TOY.dimension, *, fetched: bool = False) -> None:
        """Encode all titles and the images in files. With `fetched`, encode images at web addresses, too.

        The n-th title or image in alphabetical order has the same vector in every run.
        """
        worker = self.worker(model_id=model_id)
        if fetched:
            self.run("update shop_private.work set host = null where host is not null")
        for part in ("title", "image"):
            while items := worker.claim(part, 1000):
                ordered = sorted(items, key=lambda item: (item.uri or item.title, item.position))
                worker.complete(ordered, part, unit_vectors(len(items), dimension))
        worker.release()

    def work(self, sku: str | None = None) -> list[tuple[str, str, int, str]]:
        """Returns the work items in order, as (sku, part, position, state)."""
        rows = self.run(
            "select p.sku, w.part::text, w.position, w.state::text from shop_private.work w "
            "join shop.product p using (product_id) where p.sku = coalesce(cast(:sku as text), p.sku) "
            "order by p.sku, w.part, w.position",
            sku=sku,
        )
        return [tuple(row) for row in rows]

    @contextmanager
    def encoder(self, model_id: int = 1, *, answers: bool = True, dimension: int = TOY.dimension) -> Iterator[None]:
        """Run an encoder that answers queries. With answers=False the encoder is alive but claims no query."""
        stop, ready = threading.Event(), threading.Event()

        def serve() -> None:
            with requests.connect(self.database) as conn:
                requests.report_alive(conn, [model_id])
                ready.set()
                while not stop.wait(0.005):
                    if not answers:
                        continue
                    batch = requests.begin(conn, [model_id], 32)
                    vectors = unit_vectors(len(batch), dimension)
                    requests.finish(conn, [([one.id for one in batch], vectors)] if batch else [])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            assert ready.wait(60)
            yield
        finally:
            stop.set()
            thread.join()

    def cache(self, query: str, model_id: int = 1, dimension: int = TOY.dimension, seed: int = 0) -> None:
        """Put a random vector of a text into the query cache, so that no encoder is needed."""
        [vector] = unit_vectors(1, dimension, seed)
        self.run(
            "insert into shop_private.query_embedding (model_id, key, query, embedding) values "
            "(:model, sha256(convert_to('t' || cast(:query as text), 'UTF8')), :query, cast(:vector as halfvec))",
            model=model_id,
            query=query,
            vector=str(vector.tolist()),
        )


def product(sku: str, title: str | None = None, *, image_count: int = 1, **fields: Any) -> Product:
    images = tuple(Image(f"{sku}-{n}.jpg") for n in range(image_count))
    return Product(sku, title or f"title of {sku}", **{"images": images, **fields})


@pytest.fixture(scope="session")
def toy_template(databases: Databases, template: str, public_folder: Path) -> tuple[str, Path]:
    """Returns the name of a migrated database that serves the toy model, and the home folder with the model's
    revisions."""
    database = databases.copy(template)
    home = public_folder / "toy-home"
    add_model(database, Settings(home=home), TOY)
    serve_model(database, TOY.name)
    return str(database.write.database), home


@pytest.fixture(scope="session")
def two_model_template(databases: Databases, toy_template: tuple[str, Path], public_folder: Path) -> str:
    """Returns the name of a migrated database. The toy model serves, and the model wide (40 dimensions) is
    building."""
    import shutil

    name, toy_home = toy_template
    home = public_folder / "two-model-home"
    shutil.copytree(toy_home, home)
    database = databases.copy(name)
    add_model(database, Settings(home=home), WIDE)
    return str(database.write.database)


_filled: dict[str, tuple[Callable[[Shop], None], int]] = {}  # for each database: last `fill`, next transaction id


@contextmanager
def filled(made: Shop, fill: Callable[[Shop], None]) -> Iterator[Shop]:
    """Yields the shop, emptied and then filled by `fill`. If no transaction has written to the server since the last
    test with the same `fill`, the shop is used as it is, because most tests of a search only read."""
    name = str(made.database.write.database)
    try:
        last, found = _filled.pop(name, None), _transaction_id(made)
        if last != (fill, found):
            _empty(made)
            fill(made)
            found = _transaction_id(made)
        _filled[name] = (fill, found + 1)
        yield made
    finally:
        made.end_test()


def _nothing(_: Shop) -> None:
    """Leave the shop empty."""


def _transaction_id(made: Shop) -> int:
    """Returns a new transaction id. A transaction that only reads has no id, so the ids count the server's writes. The
    position in the WAL would not do, because it also advances when a search removes dead rows from a page."""
    return int(made.value("select pg_current_xact_id()::text"))


# Empties a database that tests share, because a new copy of a database for each test would take longer. Products are
# truncated: deleted products would leave empty pages, and search and the planner estimate the size of a table by its
# pages. The last statement updates the counters of live rows now, and not up to ten seconds later.
EMPTY = "; ".join(
    [
        "truncate shop.product, shop.synonym cascade",
        *(
            f"delete from shop.{table}"
            for table in (
                "catalog", "calibration", "common_word", "tuning", "judgement", "evaluation", "event", "suggestion",
                "blocked_suggestion",
            )
        ),
        *(
            f"delete from shop_private.{table}"
            for table in (
                "worker", "query_lane", "request", "query_embedding", "fetch_host", "calibration_run",
                "calibration_list", "webhook", "webhook_note", "watch_note", "idempotency",
            )
        ),
        "update shop.model set status = 'building' where status = 'retired'",
        "select pg_stat_force_next_flush()",
    ]
)  # fmt: skip


def _empty(made: Shop) -> None:
    made.run(EMPTY)
    if made.value("select array_agg(name order by model_id) from shop.model where status = 'serving'") != [TOY.name]:
        serve_model(made.database, TOY.name, force=True)


@pytest.fixture(scope="session")
def _toy_shop(databases: Databases, toy_template: tuple[str, Path]) -> Iterator[Shop]:
    with closing(Shop(databases.copy(toy_template[0]))) as made:
        yield made


@pytest.fixture(scope="session")
def _two_model_shop(databases: Databases, two_model_template: str) -> Iterator[Shop]:
    with closing(Shop(databases.copy(two_model_template))) as made:
        yield made


@pytest.fixture
def shop(_toy_shop: Shop) -> Iterator[Shop]:
    """Yields a shop without products. The toy model serves as model_id 1."""
    with filled(_toy_shop, _nothing) as made:
        yield made


@pytest.fixture
def filled_shop(_toy_shop: Shop) -> Iterator[Callable[[Callable[[Shop], None]], Shop]]:
    """Yields a function that takes another function, fills the shop with it, and returns the shop. A test uses either
    this fixture or `shop`."""
    with ExitStack() as stack:
        yield lambda fill: stack.enter_context(filled(_toy_shop, fill))


@pytest.fixture
def two_models(_two_model_shop: Shop) -> Iterator[Shop]:
    """Yields a shop without products. Toy serves as model_id 1, and wide (40 dimensions) is building as model_id 2."""
    with filled(_two_model_shop, _nothing) as made:
        yield made


@pytest.fixture(scope="session")
def three_model_template(databases: Databases, two_model_template: str, public_folder: Path) -> str:
    """Returns the name of a database with the models of two_model_template and a third model, turned."""
    database = databases.copy(two_model_template)
    add_model(database, Settings(home=public_folder / "two-model-home"), TURNED)
    return str(database.write.database)


@pytest.fixture
def three_models(databases: Databases, three_model_template: str) -> Iterator[Shop]:
    """Yields a shop in a new database with the models of two_models and a third model, turned, as model_id 3. The
    vectors of toy and turned have the same dimension."""
    made = Shop(databases.copy(three_model_template))
    yield made
    made.close()


@pytest.fixture(scope="session")
def large(databases: Databases, toy_template: tuple[str, Path]) -> Database:
    """Returns a database with the 20,000 products of large_catalog.py and indexed vectors of the toy model."""
    database = databases.copy(toy_template[0])
    large_catalog.fill(database)
    return database


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    """Returns a function that runs calls at the same moment, each in a thread. The function returns the results or
    raises the first error."""

    def run(*calls: Callable[[], Any]) -> list[Any]:
        from concurrent.futures import ThreadPoolExecutor

        barrier = threading.Barrier(len(calls))

        def started(call: Callable[[], Any]) -> Any:
            barrier.wait()
            return call()

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(started, calls))

    return run
