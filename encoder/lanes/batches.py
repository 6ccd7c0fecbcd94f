"""What travels through the catalog lane."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from db.images.decode_pool import DecodeBatch
from db.images.messages import DecodeError
from db.work.items import Item, Part, Seen
from encoder.models.loading import Features, Vectors


@dataclass(slots=True)
class ClaimedBatch:
    model_id: int
    part: Part
    items: list[Item]
    refused: list[tuple[Item, DecodeError]] = field(default_factory=list)
    decoding: DecodeBatch | None = None  # of the items, when they are pictures


@dataclass(slots=True)
class Batch:
    model_id: int
    part: Part
    items: list[Item]
    sources: list[bytes]  # sha256 of each title or picture
    seen: list[Seen]  # of each picture; empty for titles
    rows: dict[bytes, int]  # where in `features` a source is: the same title or picture is encoded once
    features: Features
    decoding: DecodeBatch | None = None
    known: Mapping[bytes, Vectors] = field(default_factory=dict)  # (dimension,) of pictures the catalog had already


@dataclass(slots=True)
class Encoded:
    batch: Batch
    vectors: list[Vectors | str]  # an item each: (1, dimension), or why there is none


@dataclass(slots=True)
class Counters:
    """What a run has done so far; the progress bar reads it."""

    image: int = 0
    title: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        return self.image + self.title + self.failed
