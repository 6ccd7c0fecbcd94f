"""Builds the site of a split, which is a set of concepts such as dog (encoder/starter/training/splits.py). The head of
the starter model is trained without these concepts; it is the only part of the model that is trained here. The images
of the concepts are products, by default in three catalogs (held_out.py), and a real encoder encodes them."""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from benchmarks.relevance import held_out
from benchmarks.support.site import Site, site
from db.catalog.store import staging, upsert
from db.evaluation import judgements
from db.roles import Role
from encoder import starter
from encoder.models.image_tower import image_tower
from encoder.models.loading import Model
from encoder.service import run as run_encoder
from encoder.settings import EncoderSettings
from encoder.starter import head as heads
from encoder.starter import weights
from encoder.starter.training import pairs as all_pairs
from encoder.starter.training import splits
from encoder.starter.training.fit import Material, fit
from migrations.model_revisions import NewModel

CACHE = Path(".cache/starter")
NAME = "held_out"


@contextmanager
def split_site(
    material: Material,
    number: int,
    seconds: dict[str, float],
    fill: Callable[[Site, Sequence[all_pairs.Pair]], None] | None = None,
) -> Iterator[tuple[Site, int]]:
    """Yields the site of split `number` with a running encoder, and the number of held-out images. Adds the seconds of
    each step to `seconds`. `fill` adds the products; by default, each image is a product of each catalog of
    held_out.py."""
    train, test = splits.sides(material.pairs, splits.read()[number - 1])
    pairs = [material.pairs[row] for row in test]
    with tempfile.TemporaryDirectory() as folder:
        head = Path(folder) / "head.safetensors"
        with timed(seconds, "train"):
            heads.save(fit(material, train), head)
        module = starter.load("cpu", head)
        tower = image_tower(module, "cpu")
        model = Model(NAME, weights.revision(head), starter.DIMENSION, "cpu", tower, module)
        with site(NewModel(NAME, NAME, model.revision, model.dimension)) as measured:
            with timed(seconds, "load"):
                (fill or _fill)(measured, pairs)
            with _encoding(measured, model):
                with timed(seconds, "encode"):
                    while measured.left():
                        time.sleep(0.2)
                with measured.database.connect(None) as admin:
                    admin.execution_options(isolation_level="AUTOCOMMIT").execute(text("analyze"))
                yield measured, len(pairs)


def _fill(measured: Site, pairs: Sequence[all_pairs.Pair]) -> None:
    categories = held_out.categories(all_pairs.PAIRS / "pairs.csv", pairs)
    with measured.database.connect(Role.APP) as conn, conn.begin():
        for catalog in held_out.SUITES.values():
            with staging(conn) as stage:
                for product in held_out.products(pairs, categories, catalog):
                    stage(product)
            upsert(conn, catalog=catalog, image_root=all_pairs.PAIRS)
        judgements.add(conn, held_out.judgements(pairs))


@contextmanager
def _encoding(measured: Site, model: Model) -> Iterator[None]:
    """Run an encoder, which encodes the catalog and answers queries, in a thread of this process."""
    stop, ready = threading.Event(), threading.Event()
    with measured.database.connect(None) as conn:
        model_id = conn.execute(text("select model_id from shop.model where status = 'serving'")).scalar_one()
    arguments = {"stop": stop, "on_ready": ready.set}
    thread = threading.Thread(
        target=run_encoder, args=(measured.database, {model_id: model}, EncoderSettings()), kwargs=arguments
    )
    thread.start()
    try:
        if not ready.wait(60):
            raise RuntimeError("the encoder did not start")
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[what] = round(time.perf_counter() - started, 1)
