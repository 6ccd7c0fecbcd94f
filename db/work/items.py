"""Calls the SQL functions of the work list for the encoder. The rules of the list are in `db/functions/work/`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from db.vector_array import VectorArray

Part = Literal["image", "title"]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A row of shop.model."""

    model_id: int
    name: str
    source: str
    revision: str
    dimension: int
    status: str


@dataclass(frozen=True, slots=True)
class Item:
    """A title or image to encode.

    `attempts` is the number of attempts to encode the item alone, including the current attempt, plus the number of
    earlier failures of the item in a batch. An item with `batch_limit` 1 is tried alone. An image with a `host` is
    fetched from this host.
    """

    product_id: UUID
    position: int
    attempts: int
    batch_limit: int | None
    title: str
    folder: str | None
    uri: str | None
    host: str | None


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """The metadata that decoding an image yields."""

    sha256: bytes
    width: int
    height: int
    phash: str


@dataclass(frozen=True, slots=True)
class Outstanding:
    pending: int
    leased: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is not encoded yet. Each count stops at 10,000."""

    oldest_seconds: float  # for how long the oldest item that is due has waited
    waiting: int
    quarantined: int


_MODELS = text(
    "select model_id, name, source, revision, dimension, status::text from shop.model "
    "where status <> 'retired' order by status = 'serving' desc, model_id"
)
_CLAIM = text("select * from shop_private.work_claim(:worker, :model, cast(:part as shop_private.part), :limit)")
_COMPLETE = text(
    "select shop_private.work_complete(:worker, cast(:model as smallint), cast(:part as shop_private.part), "
    "cast(:products as uuid[]), cast(:positions as smallint[]), cast(:sources as bytea[]), :embeddings)"
)
_KNOWN = text(
    "select source, embedding from shop_private.known_vectors(cast(:model as smallint), cast(:sources as bytea[]))"
)
_RECORD_IMAGE_METADATA = text(
    "select shop_private.record_image_metadata(cast(:products as uuid[]), cast(:positions as smallint[]), "
    "cast(:sha256 as bytea[]), cast(:width as integer[]), cast(:height as integer[]), cast(:phash as text[]))"
)
_FAIL = text(
    "select shop_private.work_fail(:worker, cast(:model as smallint), cast(:part as shop_private.part), :product, "
    "cast(:position as smallint), :error, :final)"
)
_IDLE = text("select shop_private.work_idle(cast(:models as smallint[]))")
_RETRY = text(
    "select shop_private.work_retry(cast(:model as smallint), cast(:catalog as text), cast(:host as text), "
    "cast(:sku as text))"
)
_HEARTBEAT = text("select shop_private.worker_heartbeat(:worker, :host, :pid, :device, make_interval(secs => :lease))")


def models(conn: Connection) -> list[ModelRow]:
    """Return the models whose vectors encoders keep current: all but the retired models, the serving model first."""
    return [ModelRow(*row) for row in conn.execute(_MODELS)]


def claim(conn: Connection, worker: UUID, model_id: int, part: Part, limit: int) -> list[Item]:
    """Claim a batch of up to `limit` titles or files. If the lease of a batch ran out, its items come again in smaller
    batches."""
    parameters = {"worker": worker, "model": model_id, "part": part, "limit": limit}
    return [Item(*row) for row in conn.execute(_CLAIM, parameters)]


def complete(
    conn: Connection,
    worker: UUID,
    model_id: int,
    part: Part,
    items: Sequence[Item],
    sources: Sequence[bytes],
    vectors: NDArray[np.float32],
) -> int:
    """Store the vectors, shape (n, dimension), of the items whose lease this worker still has.

    Returns the number of stored vectors.
    """
    parameters = {
        "worker": worker,
        "model": model_id,
        "part": part,
        "products": [item.product_id for item in items],
        "positions": [item.position for item in items],
        "sources": list(sources),
        "embeddings": VectorArray(vectors),
    }
    return int(conn.scalar(_COMPLETE, parameters) or 0)


def known_vectors(conn: Connection, model_id: int, sources: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
    """Return the stored vectors of the model for the image files whose SHA-256 is in `sources`, by SHA-256."""
    rows = conn.execute(_KNOWN, {"model": model_id, "sources": list(sources)})
    return {bytes(source): vector.to_numpy().astype(np.float32) for source, vector in rows}


def record_image_metadata(conn: Connection, items: Sequence[Item], metadata: Sequence[ImageMetadata]) -> None:
    parameters = {
        "products": [item.product_id for item in items],
        "positions": [item.position for item in items],
        "sha256": [each.sha256 for each in metadata],
        "width": [each.width for each in metadata],
        "height": [each.height for each in metadata],
        "phash": [each.phash for each in metadata],
    }
    conn.execute(_RECORD_IMAGE_METADATA, parameters)


def fail(conn: Connection, worker: UUID, model_id: int, part: Part, item: Item, error: str, *, final: bool) -> None:
    parameters = {
        "worker": worker,
        "model": model_id,
        "part": part,
        "product": item.product_id,
        "position": item.position,
        "error": error,
        "final": final,
    }
    conn.execute(_FAIL, parameters)


def heartbeat(conn: Connection, worker: UUID, host: str, pid: int, device: str, lease_seconds: int) -> None:
    parameters = {"worker": worker, "host": host, "pid": pid, "device": device, "lease": lease_seconds}
    conn.execute(_HEARTBEAT, parameters)


def release(conn: Connection, worker: UUID) -> int:
    """Delete the worker, whose claimed items go back to the work list. Returns the number of these items."""
    return int(conn.scalar(text("select shop_private.worker_release(:worker)"), {"worker": worker}) or 0)


def outstanding(conn: Connection, model_ids: Sequence[int]) -> Outstanding:
    row = conn.execute(
        text("select * from shop_private.work_outstanding(cast(:models as smallint[]))"), {"models": list(model_ids)}
    ).one()
    return Outstanding(*row)


def backlog(conn: Connection, model_ids: Sequence[int]) -> Backlog:
    rows = text("select * from shop_private.work_backlog(cast(:models as smallint[]))")
    return Backlog(*conn.execute(rows, {"models": list(model_ids)}).one())


def is_idle(conn: Connection, model_ids: Sequence[int]) -> bool:
    """Return whether the models have nothing to encode in the next ten seconds. Images of a host with a longer pause do
    not count."""
    return bool(conn.scalar(_IDLE, {"models": list(model_ids)}))


def retry(
    conn: Connection, model_id: int, catalog: str | None = None, host: str | None = None, sku: str | None = None
) -> int:
    """Put a model's quarantined items back on the work list. Images that wait for their next fetch become due now.

    Returns the number of these items and images.
    """
    return int(conn.scalar(_RETRY, {"model": model_id, "catalog": catalog, "host": host, "sku": sku}) or 0)
