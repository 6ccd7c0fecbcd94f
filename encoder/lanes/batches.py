"""Defines the batches of the catalog lane (the loop that encodes products), in the order of the lane's stages, and the
counters of a run."""

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
    fetched: list[bytes] | None = None  # the bytes of each fetched image; None for titles and image files
    errors: list[tuple[Item, DecodeError]] = field(default_factory=list)
    decoding: DecodeBatch | None = None  # the decoding of the items' images; None for titles


@dataclass(slots=True)
class PreparedBatch:
    model_id: int
    part: Part
    items: list[Item]
    sources: list[bytes]  # for each item, the SHA-256 of its title or image
    metadata: list[ImageMetadata]  # one entry for each image; empty for titles
    rows: dict[bytes, int]  # SHA-256 in `sources` -> row in `features`; equal titles or images share a row
    features: Features
    decoding: DecodeBatch | None = None
    known: Mapping[bytes, Vectors] = field(default_factory=dict)  # SHA-256 in `sources` -> stored vector (dimension,)


@dataclass(slots=True)
class EncodedBatch:
    batch: PreparedBatch
    vectors: list[Vectors | str]  # for each item a vector (1, dimension), or the reason why the item has no vector


@dataclass(slots=True)
class Counters:
    """The numbers of images and titles that a run has encoded so far, and the number of failures. The progress bar
    shows `done`."""

    image: int = 0
    title: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        return self.image + self.title + self.failed
