"""Defines a module for sentence-transformers that turns images into vectors: first the image tower (tower.py), then
the head (head.py)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from sentence_transformers.base.modules import InputModule
from torch import Tensor

from encoder.starter import head as heads
from encoder.starter import pixels
from encoder.starter.errors import NotAnImage
from encoder.starter.tower import Tower

# On a CPU, a forward pass takes this many images. The activations of more images do not fit into the cache of a core.
_CPU_CHUNK = 2


class ImageRoute(InputModule):  # type: ignore[misc]  # untyped base
    """``preprocess`` converts images to bytes and may run in any thread. ``forward`` runs on the module's device."""

    shape = pixels.SHAPE

    def __init__(self, tower: Tower, head: heads.Head) -> None:
        super().__init__()
        self.tower = tower
        self.head = head

    @property
    def modalities(self) -> list[Any]:
        return ["image"]

    def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **kwargs: Any) -> dict[str, Tensor]:
        """Maps PIL images, bare or as ``{"image": image}``, to ``pixel_values``, uint8 (n, 3, 256, 256).

        Prompts are for texts and are ignored. Strings are refused, because sentence-transformers would open a string
        that looks like the URL or path of an image. A shopper's query must never open a URL or a file.
        """
        images = [_image(each) for each in inputs]
        return {"pixel_values": torch.from_numpy(pixels.batch(images)).permute(0, 3, 1, 2)}

    def forward(self, features: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        values: Tensor = features["pixel_values"]
        whole = values.device.type != "cpu" or torch.onnx.is_in_onnx_export()  # an export has no fixed number of images
        chunks = (values,) if whole else torch.split(values, _CPU_CHUNK)
        with torch.inference_mode():
            features["sentence_embedding"] = torch.cat([self._vectors(chunk) for chunk in chunks])
        return features

    def get_embedding_dimension(self) -> int:
        return heads.DIMENSION

    def save(self, output_path: str, *args: Any, **kwargs: Any) -> None:
        """Writes only the head, because the tower's weights are in a package (weights.py)."""
        heads.save(self.head, Path(output_path) / "head.safetensors")

    def _vectors(self, pixel_values: Tensor) -> Tensor:
        pooled, mid = self.tower(pixel_values)
        unit: Tensor = self.head(pooled, mid, self.tower.classifier(pooled))
        return unit


def _image(given: Any) -> Image.Image:
    found = given.get("image") if isinstance(given, Mapping) else given
    if not isinstance(found, Image.Image):
        raise NotAnImage(found)
    return found
