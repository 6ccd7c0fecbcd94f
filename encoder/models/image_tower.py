"""Finds the image tower (the image encoder) of a loaded model: the shape of its input, and the function for its forward
pass."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from db.images.pixels import InputShape
from encoder.models.fast_image_tower import FAMILIES, FastImageTower

Forward = Callable[[Tensor], Tensor]  # uint8 (n, height, width, 3) on the device -> (n, dimension)


@dataclass(frozen=True)
class ImageTower:
    shape: InputShape
    forward: Forward | None  # None if only the model's own processor can prepare its images
    has_precision: bool = False  # True for a FastImageTower, which runs in the precision given to `load`


def image_tower(module: SentenceTransformer, device: str, precision: str = "auto", compiled: int = 0) -> ImageTower:
    """Returns the image tower of a model that sentence-transformers loaded. A FastImageTower replaces the tower of CLIP
    or SigLIP if `input_shape` supports the model's image processor.

    `precision` is auto, float32, bfloat16 or float16. Batches of exactly `compiled` images go through torch.compile; 0
    compiles nothing. Both arguments apply to CLIP and SigLIP only.
    """
    routes = getattr(module[0], "sub_modules", {})
    if "image" in routes and hasattr(routes["image"][0], "shape"):  # the starter model
        route = routes["image"][0]
        return ImageTower(route.shape, lambda pixels: route({"pixel_values": pixels.permute(0, 3, 1, 2)})[_VECTOR])
    # A model that was saved from a text model and an image model has a route for images. In any other model, one module
    # encodes both texts and images.
    parts = list(routes["image"]) if "image" in routes else list(module)
    own = getattr(parts[0], "model", None)
    if len(parts) == 1 and getattr(getattr(own, "config", None), "model_type", None) in FAMILIES:
        processor = parts[0].processor.image_processor
        shape = input_shape(processor)
        if shape is not None:
            dtype = tower_dtype(device, precision)
            tower = FastImageTower(own, processor.image_mean, processor.image_std, dtype).to(device).eval()
            return ImageTower(shape, compiled_tower(tower, compiled) if compiled else tower, has_precision=True)
    return ImageTower(InputShape(512, 512, "within"), None)


def input_shape(processor: Any) -> InputShape | None:
    """Returns the input shape of a transformers image processor that only resizes, optionally crops without padding,
    scales by 1/255 and normalises. Returns None for any other processor."""
    wanted = ("do_resize", "do_rescale", "do_normalize")
    if not all(getattr(processor, name, False) for name in wanted) or getattr(processor, "do_pad", False):
        return None
    if abs(processor.rescale_factor - 1 / 255) > 1e-9:
        return None
    size, resample = dict(processor.size), int(processor.resample)
    if not getattr(processor, "do_center_crop", False):
        if not size.get("height") or not size.get("width"):
            return None
        return InputShape(size["height"], size["width"], "stretch", resample=resample)
    crop, edge = dict(processor.crop_size), size.get("shortest_edge")
    if not edge or size.get("longest_edge") or edge < max(crop["height"], crop["width"]):
        return None
    return InputShape(crop["height"], crop["width"], "crop", edge, resample)


def tower_dtype(device: str, precision: str) -> torch.dtype:
    if precision == "auto":
        return torch.bfloat16 if device.startswith("cuda") else torch.float32
    return getattr(torch, precision)  # type: ignore[no-any-return]  # the settings allow only names of torch types


def compiled_tower(tower: FastImageTower, batch: int) -> Forward:
    """Compile `tower` for batches of exactly `batch` images. Batches of any other size, such as a query of one image,
    run uncompiled, because torch would compile the tower again for each size."""
    fast = torch.compile(tower, dynamic=False)
    return lambda pixels: (fast if len(pixels) == batch else tower)(pixels)


_VECTOR = "sentence_embedding"
