"""The batches that travel through the catalog lane, in the order of its stages."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from db.images.decode_pool import DecodeBatch
from db.images.messages import DecodeError
from db.work.items import ImageMetadata, Item, Part
from encoder.models.loading import Features, Vectors


@dataclass(slots=True)
class ClaimedBatch:
    model_id: int
    part: Part
    items: list[Item]
    errors: list[tuple[Item, DecodeError]] = field(default_factory=list)
    decoding: DecodeBatch | None = None  # of the items, when they are images


@dataclass(slots=True)
class PreparedBatch:
    model_id: int
    part: Part
    items: list[Item]
    sources: list[bytes]  # sha256 of each title or image
    metadata: list[ImageMetadata]  # of each image; empty for titles
    rows: dict[bytes, int]  # source -> its row in `features`: equal titles and images are encoded once
    features: Features
    decoding: DecodeBatch | None = None
    known: Mapping[bytes, Vectors] = field(default_factory=dict)  # source -> vector (dimension,) already stored


@dataclass(slots=True)
class EncodedBatch:
    batch: PreparedBatch
    vectors: list[Vectors | str]  # one for each item: (1, dimension), or the reason it has none


@dataclass(slots=True)
class Counters:
    """What a run has done so far; the progress bar reads it."""

    image: int = 0
    title: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        return self.image + self.title + self.failed
