"""The picture half of the model, as sentence-transformers wants its modules."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from sentence_transformers.base.modules import InputModule
from torch import Tensor

from encoder.starter import head as heads
from encoder.starter import pixels
from encoder.starter.errors import NotAPicture
from encoder.starter.tower import Tower

# A core's cache holds the activations of about this many pictures: on CPU larger batches run slower, not faster.
_CPU_CHUNK = 2


class ImageRoute(InputModule):  # type: ignore[misc]  # untyped base
    """``preprocess`` makes bytes and may run in any thread; ``forward`` does the rest where the module lives."""

    shape = pixels.SHAPE

    def __init__(self, tower: Tower, head: heads.Head) -> None:
        super().__init__()
        self.tower = tower
        self.head = head

    @property
    def modalities(self) -> list[Any]:
        return ["image"]

    def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **kwargs: Any) -> dict[str, Tensor]:
        """PIL pictures, bare or as ``{"image": picture}`` -> ``pixel_values`` uint8 (n, 3, 256, 256).

        Prompts are for texts and are ignored. Strings are refused: sentence-transformers takes those that look
        like an image's address or path for pictures, and a shopper's query must never make us open one.
        """
        pictures = [_picture(one) for one in inputs]
        return {"pixel_values": torch.from_numpy(pixels.batch(pictures)).permute(0, 3, 1, 2)}

    def forward(self, features: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        values: Tensor = features["pixel_values"]
        chunks = torch.split(values, _CPU_CHUNK) if values.device.type == "cpu" else (values,)
        with torch.inference_mode():
            features["sentence_embedding"] = torch.cat([self._vectors(chunk) for chunk in chunks])
        return features

    def get_embedding_dimension(self) -> int:
        return heads.DIMENSION

    def save(self, output_path: str, *args: Any, **kwargs: Any) -> None:
        """Only the head is ours to write; the towers stay in their packages."""
        heads.save(self.head, Path(output_path) / "head.safetensors")

    def _vectors(self, pixel_values: Tensor) -> Tensor:
        pooled, mid = self.tower(pixel_values)
        unit: Tensor = self.head(pooled, mid, self.tower.classifier(pooled))
        return unit


def _picture(one: Any) -> Image.Image:
    found = one.get("image") if isinstance(one, Mapping) else one
    if not isinstance(found, Image.Image):
        raise NotAPicture(found)
    return found
