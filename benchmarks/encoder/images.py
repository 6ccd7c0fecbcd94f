"""Measures how fast JPEG files become committed vectors: in each stage alone, in all stages together, and in the
following plain loop:

    for some in batches(paths):
        vectors = model.encode([Image.open(path).convert("RGB") for path in some])
        cursor.executemany("insert ...", zip(ids, vectors))

The stages, the pipeline (all stages together) and the plain loop run one after another. The pipeline and the stage
`decode` read all files. The plain loop reads only the first ones, because it is slower. Unlike the plain loop, the
pipeline also hashes the files, records metadata and deletes work items.
"""

import os
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from PIL import Image as PillowImage
from sentence_transformers import SentenceTransformer
from sqlalchemy import text

from benchmarks.encoder.architectures import SMALL, VIT_B_32, save_clip
from benchmarks.encoder.drawn import draw_all
from benchmarks.encoder.lane import drive
from benchmarks.support.report import Line, Table, keep
from benchmarks.support.site import Site, site
from db.catalog.product import Image, Product
from db.catalog.store import staging, upsert
from db.images.decode_pool import DecodeBatch, DecodePool
from db.images.messages import DecodedImage, DecodeLimits, ImageSource
from db.roles import Role
from db.work import items as work
from db.work.items import ImageMetadata
from encoder.lanes.pipeline import Pipeline, Stage
from encoder.models.loading import Model, load, model_threads
from encoder.settings import EncoderSettings
from migrations.model_revisions import NewModel


def run(device: str, count: int, side: int) -> None:
    """Measure with `count` distinct JPEGs whose longer side is `side` pixels."""
    gpu = device.startswith("cuda")
    settings = EncoderSettings(device=device)
    architecture = VIT_B_32 if gpu else SMALL
    source = save_clip(Path(os.environ.get("TMPDIR", "/tmp")) / f"windowshop-bench-{os.getpid()}", architecture)
    model = load(str(source), device)
    with site(NewModel("clip", str(source), model.revision, model.dimension)) as measured:
        print(f"Drawing and loading {count} images", flush=True)
        paths = _images(measured, count, side)
        _drop_indexes(measured)
        model.warm_up()
        size = sum(path.stat().st_size for path in paths) / count
        print(f"{count} images of {side} px, {size / 1000:.0f} kB; {architecture.name} on {device}", flush=True)
        alone = {
            "decode": count / _decode(paths, model, settings),
            "forward": _forward(model, settings, count),
            "write": count / _write(measured, model, settings),
        }
        print({stage: round(rate) for stage, rate in alone.items()}, flush=True)
        rounds = []
        for _ in range(3):
            _reset_images(measured)
            rounds.append(drive(measured, model, settings))
            print(f"end to end {count / rounds[-1][0].wall:.0f}/s", rounds[-1][0].busy, flush=True)
        few = paths[: max(64, min(count, int(alone["decode"] / 2)))]
        loop = len(few) / _plain_loop(measured, source, few, device)
    clock, used = sorted(rounds, key=lambda each: each[0].wall)[1]
    cores, rate, slowest = os.cpu_count() or 1, count / clock.wall, min(alone, key=alone.__getitem__)
    share, bound = rate / alone[slowest], max(count / alone[slowest], used / cores)
    where = torch.cuda.get_device_name(device) if gpu else "CPU"
    lines = [Line(f"{stage} alone, images/s", f"{each:,.0f}") for stage, each in alone.items()]
    lines.append(Line("end to end, images/s", f"{rate:,.0f}"))
    if gpu:
        lines.append(Line(f"end to end / slowest stage ({slowest})", f"{share:.2f}", ">= .90", share >= 0.9))
    ratio = clock.wall / bound
    lines.append(
        Line(
            f"total / max(slowest stage, CPU-seconds / {cores} cores)",
            f"{ratio:.2f}",
            "" if gpu else "<= 1.2",
            None if gpu else ratio <= 1.2,
        )
    )
    lines.append(Line("SentenceTransformer.encode and executemany, images/s", f"{loop:,.0f}"))
    goal = 10 if gpu else 3
    against = "end to end against encode and executemany"
    lines.append(Line(against, f"{rate / loop:.1f} x", f">= {goal} x", rate / loop >= goal))
    busy = [[stage, f"{seconds:.1f} s", f"{seconds / clock.wall:.2f}"] for stage, seconds in clock.busy.items()]
    keep(
        f"images_{where.lower().replace(' ', '_')}_{side}",
        f"From JPEG to row: {count} images of {side} px, {architecture.name}, {where}",
        lines,
        {"alone": alone, "rounds": [{"wall": c.wall, "busy": c.busy, "cpu_seconds": u} for c, u in rounds], "kB": size},
        [
            Table(
                "Seconds that each stage was busy, end to end; claim and prepare include waiting",
                ["stage", "busy", "share of the total time"],
                busy,
            )
        ],
    )


def _images(measured: Site, count: int, side: int) -> list[Path]:
    folder = measured.settings.home / "images"
    folder.mkdir(parents=True)
    paths = [folder / f"{number:06}.jpg" for number in range(count)]
    draw_all(paths, side)
    with measured.database.connect(Role.APP) as conn, conn.begin():
        with staging(conn) as stage:
            for number, path in enumerate(paths):
                stage(Product(f"p{number:06}", f"product {number}", images=(Image(path.name),)))
        upsert(conn, image_root=folder)
    return paths


def _decode(paths: list[Path], model: Model, settings: EncoderSettings) -> float:
    size, shape = settings.images_a_batch(model.device), model.tower.shape
    pool = DecodePool(settings.decoders(), 5, size * shape.bytes, DecodeLimits(60, 10**8, 10**8))
    sources = [ImageSource(str(path.parent), path.name) for path in paths]
    try:
        pool.begin(sources[:size], shape).close()  # returns when the decoder processes have started
        started, under_way = time.perf_counter(), list[DecodeBatch]()
        for first in range(0, len(sources), size):
            under_way.append(pool.begin(sources[first : first + size], shape))
            if len(under_way) == 4:
                _finish(under_way.pop(0))
        for opening in under_way:
            _finish(opening)
        return time.perf_counter() - started
    finally:
        pool.close()


def _finish(opening: DecodeBatch) -> None:
    assert all(isinstance(one, DecodedImage) for one in opening.results())
    opening.close()


def _forward(model: Model, settings: EncoderSettings, count: int) -> float:
    """Returns how many images a second the model encodes, from batches that are already on the device."""
    size, shape, threads = settings.images_a_batch(model.device), model.tower.shape, model_threads(model.device)
    pixels = torch.randint(0, 256, (size, shape.height, shape.width, 3), dtype=torch.uint8, device=model.device)
    batches = max(1, min(count, 20_000) // size)
    model.forward({"pixels": pixels})
    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: model.forward({"pixels": pixels}), range(batches)))
    return batches * size / (time.perf_counter() - started)


def _write(measured: Site, model: Model, settings: EncoderSettings) -> float:
    """Returns how many seconds it takes to claim all work items, to record the metadata of the images, and to complete
    the items. The vectors are random, so no model runs."""
    _reset_images(measured)
    size, worker = settings.images_a_batch(model.device), uuid.uuid4()
    vectors = np.random.default_rng(1).normal(size=(size, model.dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    started = time.perf_counter()
    with measured.database.connect(Role.ENCODER) as claiming, measured.database.connect(Role.ENCODER) as writing:
        with claiming.begin():
            number = work.models(claiming)[0].model_id
            work.heartbeat(claiming, worker, "bench", os.getpid(), "none", 600)

        def claimed() -> Iterator[list[work.Item]]:
            while True:
                with claiming.begin():
                    items = work.claim(claiming, worker, number, "image", size)
                if not items:
                    return
                yield items

        def write(items: list[work.Item]) -> None:
            hashes = [os.urandom(32) for _ in items]
            with writing.begin():
                work.record_image_metadata(
                    writing, items, [ImageMetadata(each, 500, 375, "01" * 32) for each in hashes]
                )
                work.complete(writing, worker, number, "image", items, hashes, vectors[: len(items)])

        Pipeline().run("claim", claimed(), [Stage("write", write)])
        with writing.begin():
            work.release(writing, worker)
    return time.perf_counter() - started


def _plain_loop(measured: Site, source: Path, paths: list[Path], device: str, batch: int = 32) -> float:
    # Here a forward pass uses all cores. In the pipeline on a CPU, several forward passes run at the same time, each on
    # one core (see model_threads).
    torch.set_num_threads(os.cpu_count() or 1)
    module = SentenceTransformer(str(source), device=device)
    module.encode([PillowImage.new("RGB", (64, 64))])
    with measured.database.connect(None) as connection, closing(connection.connection.cursor()) as cursor:
        conn = connection.connection
        cursor.execute("create table public.plain (id text primary key, embedding halfvec(512))")
        started = time.perf_counter()
        for first in range(0, len(paths), batch):
            some = paths[first : first + batch]
            vectors = module.encode([PillowImage.open(path).convert("RGB") for path in some], batch_size=batch)
            rows = [(path.name, str(list(map(float, vector)))) for path, vector in zip(some, vectors, strict=True)]
            cursor.executemany("insert into public.plain values (%s, %s)", rows)
            conn.commit()
        return time.perf_counter() - started


def _drop_indexes(measured: Site) -> None:
    """Drop the vector indexes, as an encoder does before it encodes a whole catalog. Then reset the images."""
    with measured.database.connect(None) as conn, conn.begin():
        found = text(
            "select indexrelid::regclass::text from pg_index where indrelid in ('shop.clip_image'::regclass, "
            "'shop.clip_title'::regclass) and not indisprimary"
        )
        for index in conn.scalars(found).all():
            conn.execute(text(f"drop index {index}"))
    _reset_images(measured)


def _reset_images(measured: Site) -> None:
    """Delete the vectors and metadata of images, and set the work list to all images and no titles."""
    with measured.database.connect(None) as conn, conn.begin():
        conn.execute(text("truncate shop.clip_image, shop_private.work"))
        conn.execute(text("update shop.product_image set sha256 = null, width = null, height = null, phash = null"))
        conn.execute(
            text(
                "insert into shop_private.work (product_id, position, model_id, part) "
                "select product_id, position, model_id, 'image' from shop.product_image, shop.model"
            )
        )
    with measured.database.connect(None) as conn:
        conn = conn.execution_options(isolation_level="AUTOCOMMIT")
        conn.execute(text("vacuum analyze shop.product_image, shop_private.work"))
