"""A catalog changes without a pause while it is searched and vacuumed. No call fails, and the recall of the indexes is
at most 0.01 below that of rebuilt indexes.

The churn lasts CHURN_MINUTES minutes, by default 3. `pytest -s` prints the recall before, during and after it.
"""

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import SecretStr
from sqlalchemy import Connection, text

from db.catalog import store as catalog
from db.catalog.product import Image
from db.engine import Database, open_database
from db.errors import WindowshopError
from db.lifecycle.serving import serve_model
from db.roles import Role
from db.search.calibration import calibrate
from db.settings import Settings
from migrations.model_revisions import add_model
from migrations.upgrade import upgrade
from tests.support import large_catalog
from tests.support.databases import admin
from tests.support.large_catalog import PRODUCTS, vectors
from tests.support.postgres.cluster import Cluster
from tests.support.processes import wait_until
from tests.support.shop import TOY, Worker, product

MINUTES = float(os.environ.get("CHURN_MINUTES", "3"))
SAMPLES = 6 if MINUTES >= 30 else 1  # measurements of the recall during the churn
QUERIES = 200
INDEXES = ("toy_image_hnsw", "toy_title_hnsw")
AUTOVACUUM = ("autovacuum = on", "autovacuum_naptime = '10s'", "autovacuum_vacuum_scale_factor = 0.02")
SEARCH = (
    "select sku, image_distance, title_distance from shop.search(inputs => cast(:inputs as jsonb), k => 10, "
    "filter => cast(:filter as jsonb), image_weight => :image, title_weight => :title, route => :route)"
)


@dataclass
class Churn:
    """The products from `sku {first}` to `sku {next - 1}` exist. Each step, such as `update_price`, is repeated in a
    thread of its own. A step returns the number of rows that it wrote. The step `search` returns the number of its
    statements."""

    database: Database
    first: int = 1
    next: int = PRODUCTS + 1
    stop: threading.Event = field(default_factory=threading.Event)
    written: threading.Event = field(default_factory=threading.Event)  # set when no step writes any more
    done: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    vectors: NDArray[np.float32] = field(default_factory=lambda: vectors(5))

    def repeat(self, step: Callable[[Connection], int], role: Role, each_second: float) -> None:
        """Take a step `each_second` times a second, or as often as the machine can, until `stop` is set."""
        with self.database.connect(role) as conn:
            due = time.monotonic()
            while not self.stop.wait(max(0.0, due - time.monotonic())):
                due = max(due, time.monotonic() - 1) + 1 / each_second
                try:
                    with conn.begin():
                        self.done[step.__name__] += step(conn)
                except (WindowshopError, AssertionError) as error:
                    self.errors.append(f"{step.__name__}: {error!r}")

    def any(self) -> str:
        """Returns a SKU that exists for some more minutes."""
        return f"sku {self.chance.randrange(self.first + PRODUCTS // 2, self.next)}"

    def update_price(self, conn: Connection) -> int:
        changed = text("update shop.product set price = :price where product_id = shop.product_id(:sku, 'main')")
        return conn.execute(changed, {"price": self.chance.randrange(160), "sku": self.any()}).rowcount

    def update_title(self, conn: Connection) -> int:
        changed = text("update shop.product set title = :title where product_id = shop.product_id(:sku, 'main')")
        title = f"title word{self.chance.randrange(200)} {time.monotonic_ns()}"
        return conn.execute(changed, {"title": title, "sku": self.any()}).rowcount

    def replace_image(self, conn: Connection) -> int:
        return self._put(conn, [self.any()])

    def insert(self, conn: Connection) -> int:
        skus = [f"sku {self.next + n}" for n in range(10)]
        done = self._put(conn, skus)
        self.next += 10
        return done

    def delete(self, conn: Connection) -> int:
        assert catalog.delete(conn, f"sku {self.first}")
        self.first += 1
        return 1

    def _put(self, conn: Connection, skus: list[str]) -> int:
        """Write products with a new title and a new image."""
        new = [
            product(
                f"{sku}",
                f"title word{self.chance.randrange(200)} {time.monotonic_ns()}",
                price=Decimal(9),
                product_type="new",
            )
            for sku in skus
        ]
        for each in new:
            each.images = (Image(f"{time.monotonic_ns()}.jpg"),)
        outcomes = catalog.put(conn, new, image_root=Path("/images"))
        assert set(outcomes) <= {"inserted", "updated"}, outcomes
        return len(new)

    def search(self, conn: Connection) -> int:
        """Search by a vector, by a vector with a filter, and by a product. Count the products of each type."""
        vector = self.vectors[self.chance.randrange(PRODUCTS)]
        for wanted in (None, {"price": {"lt": 80}}):
            assert len(found(conn, vector, filter=wanted)) == 10
        alike = conn.execute(
            text("select sku from shop.similar(:sku, k => 10)"), {"sku": f"sku {self.first + PRODUCTS // 4}"}
        )
        assert len(alike.all()) == 10
        assert conn.execute(text("select * from shop.facets(fields => array['product_type'])")).all()
        return 4

    def encode(self) -> None:
        """Encode titles and images as an encoder does, until `written` is set and no work is left."""
        with self.database.connect(Role.ENCODER) as conn:
            worker = Worker(conn.execution_options(isolation_level="AUTOCOMMIT"))
            beaten, is_done = 0.0, False
            while not is_done:
                is_last = self.written.wait(0.1)  # if all writes ended before the claim, the claim sees all items
                try:
                    if time.monotonic() - beaten > 5:
                        worker.beat()
                        beaten = time.monotonic()
                    is_done = sum(self._encode(worker, part) for part in ("title", "image")) == 0 and is_last
                except WindowshopError as error:
                    self.errors.append(f"encode: {error!r}")

    def _encode(self, worker: Worker, part: Any) -> int:
        items = worker.claim(part, 64)
        if items:
            rows = [self.chance.randrange(PRODUCTS) for _ in items]
            self.done[f"encoded {part}"] += worker.complete(items, part, self.vectors[rows])
        return len(items)


def found(conn: Connection, vector: NDArray[np.float32], **options: Any) -> list[Any]:
    given = {"image": 1, "title": 1, "filter": None, "route": None, **options}
    given["filter"] = None if given["filter"] is None else json.dumps(given["filter"])
    inputs = json.dumps([{"vector": [float(x) for x in vector], "model": TOY.name}])
    return list(conn.execute(text(SEARCH), {"inputs": inputs, **given}).all())


def recall(database: Database) -> dict[str, float]:
    """Returns recall@10 of `shop.search` by image and by title, and of a plain SQL statement on each of the two
    indexes. All statements read one snapshot. A product that is as near as the tenth counts as found."""
    queries = vectors(11)[:QUERIES]
    hits: Counter[str] = Counter()
    with database.connect(None) as connection:
        conn = connection.execution_options(isolation_level="REPEATABLE READ")
        conn.exec_driver_sql("set hnsw.ef_search = 100")
        for query in queries:
            for part in ("image", "title"):
                weights = {"image": 0, "title": 0, part: 1}
                column = 1 if part == "image" else 2
                exact = [row[column] for row in found(conn, query, route="exact", **weights)]
                searched = [row[column] for row in found(conn, query, route="hnsw", **weights)]
                plain = conn.execute(
                    text(
                        f"select embedding <=> cast(:query as halfvec) from shop.toy_{part} "
                        "order by embedding <=> cast(:query as halfvec) limit 10"
                    ),
                    {"query": str(query.tolist())},
                ).scalars()
                hits[f"search by {part}"] += sum(distance <= exact[-1] + 1e-6 for distance in searched)
                hits[f"index of {part}s"] += sum(distance <= exact[-1] + 1e-6 for distance in plain)
    return {name: count / (10 * QUERIES) for name, count in sorted(hits.items())}


@pytest.fixture
def site(server_home: Path, public_folder: Path, tmp_path: Path) -> Iterator[Database]:
    """Yields a calibrated database with 20,000 products, on a server with autovacuum."""
    cluster = Cluster.create(server_home, public_folder / "churn", *AUTOVACUUM)
    cluster.start()
    try:
        cluster.sql("create database site template template0")
        settings = Settings(home=tmp_path / "home", database_url=SecretStr(cluster.url("site")))
        with open_database(settings) as database:
            upgrade(database, settings)
            add_model(database, settings, TOY)
            serve_model(database, TOY.name)
            large_catalog.fill(database)
            with database.connect(Role.APP) as conn:
                calibrate(conn.execution_options(isolation_level="AUTOCOMMIT"), target_recall=0.98, k=10, queries=100)
            yield database
    finally:
        cluster.stop("immediate")


@pytest.mark.soak
def test_no_call_fails_and_the_recall_after_the_churn_is_near_that_of_rebuilt_indexes(site: Database) -> None:
    churn = Churn(site)
    print(f"\nrecall@10 before: {recall(site)}")
    paces = (
        (churn.update_price, Role.APP, 40),
        (churn.update_title, Role.APP, 10),
        (churn.replace_image, Role.APP, 3),
        (churn.insert, Role.APP, 0.5),
        (churn.delete, Role.APP, 5),
        (churn.search, Role.ANALYST, 2),
        (churn.search, Role.ANALYST, 2),
    )
    with ThreadPoolExecutor(len(paces) + 1) as threads:
        running = [threads.submit(churn.repeat, *pace) for pace in paces]
        encoding = threads.submit(churn.encode)
        began = time.monotonic()
        try:
            for number in range(1, SAMPLES + 1):
                churn.stop.wait(max(0.0, began + number * MINUTES * 60 / SAMPLES - time.monotonic()))
                print(f"after {number * MINUTES / SAMPLES:.1f} min: {recall(site)}", flush=True)
        finally:
            churn.stop.set()
            for each in running:
                each.exception(600)
            churn.written.set()
        for each in [*running, encoding]:
            each.result(600)
    vacuums = "select relname, n_live_tup, n_dead_tup, autovacuum_count from pg_stat_user_tables where relname in "
    vacuumed = admin(site, f"{vacuums} ('product', 'toy_image', 'toy_title')")
    print(f"{dict(churn.done)}, errors: {len(churn.errors)}, vacuums: {vacuumed}")
    assert churn.errors == []
    assert all(churn.done.values()) and len(churn.done) == 8
    assert all(count >= 1 for *_, count in vacuumed)
    wait_until(lambda: admin(site, "select count(*) from shop_private.work") == [(0,)], 60, "an empty work list")

    churned = recall(site)
    for index in INDEXES:
        admin(site, f"reindex index shop.{index}")
    rebuilt = recall(site)
    print(f"recall@10 after the churn: {churned}, of rebuilt indexes: {rebuilt}")
    for name, value in churned.items():
        assert value >= rebuilt[name] - 0.01, name
