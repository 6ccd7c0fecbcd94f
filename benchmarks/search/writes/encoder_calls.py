"""Writes known vectors by the calls of an encoder."""

import os
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from db.engine import Database
from db.roles import Role
from db.work import items as work
from db.work.items import Item, Part

BATCH = 512  # vectors in a batch, as an encoder with a GPU takes them
LEASE_SECONDS = 3600
SOURCE = b"\0" * 32

Vectors = Callable[[Sequence[UUID]], NDArray[np.float32]]  # returns the vectors (n, dimension) of n products


def write_vectors(database: Database, model_id: int, part: Part, vectors: Vectors) -> int:
    """Store a vector for each work item of `part` (image or title). Returns the number of stored vectors.

    As in an encoder, one connection claims the next batch while another connection stores the vectors of the batch
    before it. Each batch is committed.
    """
    worker, stored = uuid.uuid4(), 0
    with (
        database.connect(Role.ENCODER) as claiming,
        database.connect(Role.ENCODER) as writing,
        ThreadPoolExecutor(1) as ahead,
    ):

        def claim() -> list[Item]:
            with claiming.begin():
                return work.claim(claiming, worker, model_id, part, BATCH)

        with writing.begin():
            work.heartbeat(writing, worker, "bench", os.getpid(), "cpu", LEASE_SECONDS)
        claimed = ahead.submit(claim)
        while items := claimed.result():
            claimed = ahead.submit(claim)
            values = vectors([item.product_id for item in items])
            with writing.begin():
                stored += work.complete(writing, worker, model_id, part, items, [SOURCE] * len(items), values)
        with writing.begin():
            work.release(writing, worker)
    return stored
