"""Loads an OpenCLIP checkpoint, which is a folder with open_clip_config.json and open_clip_model.safetensors, with the
library open-clip-torch.

Only safetensors are read. A configuration is refused if it would run code of the model, or if an option of its
tokenizer or of timm would load files of another repository.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from db.images.pixels import InputShape
from encoder.errors import ModelUnavailable
from encoder.models.image_tower import ImageTower, tower_dtype

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
_TOKENIZER = "tokenizer_config.json"
_INSTALL = "Run: pip install 'windowshop[open-clip]'"
_TOKENIZER_OPTIONS = {"clean", "strip_sep_token", "language"}
_RESAMPLE = {"bicubic": 3, "bilinear": 2}  # PIL.Image.Resampling


class Module(Protocol):
    """What a loaded model offers, whichever library has loaded it."""

    def preprocess(self, inputs: list[Any], /) -> Mapping[str, Any]: ...

    def __call__(self, features: dict[str, Any], /) -> Mapping[str, Any]: ...


def is_open_clip(folder: Path) -> bool:
    """Returns whether to load the folder with open-clip-torch. This is so if the folder has OpenCLIP's configuration
    and no modules.json, and its config.json is missing or needs code that comes with the model."""
    if not (folder / CONFIG).is_file():
        return False
    other = folder / "config.json"
    return not (folder / "modules.json").exists() and (not other.exists() or "auto_map" in _json(other))


class OpenClipTexts:
    """Encodes texts with the text tower and the tokenizer of an OpenCLIP model."""

    def __init__(self, model: Any, tokenizer: Callable[[list[str]], Tensor]) -> None:
        self._model, self._tokenizer = model, tokenizer

    def preprocess(self, inputs: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        return {"tokens": self._tokenizer([one["text"] for one in inputs])}

    def __call__(self, features: Mapping[str, Any]) -> dict[str, Any]:
        return {"sentence_embedding": self._model.encode_text(features["tokens"])}


def load_open_clip(folder: Path, device: str, precision: str) -> tuple[OpenClipTexts, ImageTower]:
    """Returns the text tower and the image tower of an OpenCLIP folder that `check_folder` has accepted.

    Raises ModelUnavailable if the library is not installed, a file is missing, or the configuration asks for more than
    Windowshop loads.
    """
    text = _checked_texts(folder)
    open_clip = _library()
    name = f"local-dir:{folder}"
    model = open_clip.create_model(name, load_weights=False, pretrained_text=False)
    open_clip.load_checkpoint(model, str(folder / WEIGHTS), strict=True)
    model = model.eval().requires_grad_(False).to(device)
    given = open_clip.get_model_preprocess_cfg(model)
    mean, std = (torch.tensor(given[key], device=device)[:, None, None] for key in ("mean", "std"))
    dtype = tower_dtype(device, precision)

    def images(pixels: Tensor) -> Tensor:
        values = (pixels.permute(0, 3, 1, 2).float() / 255 - mean) / std
        with torch.autocast(device.partition(":")[0], dtype, enabled=dtype != torch.float32):
            return model.encode_image(values)  # type: ignore[no-any-return]  # untyped

    # Only the tokenizers of transformers take the option trust_remote_code.
    options = {"trust_remote_code": False} if text.get("hf_tokenizer_name") else {}
    return OpenClipTexts(model, open_clip.get_tokenizer(name, **options)), ImageTower(_shape(given), images)


def _shape(given: Mapping[str, Any]) -> InputShape:
    size = given["size"]
    height, width = (size, size) if isinstance(size, int) else size
    resample = _RESAMPLE[given["interpolation"]]
    if given["resize_mode"] == "squash":
        return InputShape(height, width, "stretch", resample=resample)
    if given["resize_mode"] == "shortest" and height == width:
        return InputShape(height, width, "crop", height, resample, rounds_middle=True)
    raise ModelUnavailable(
        f"the model resizes images in the mode {given['resize_mode']} to {width} x {height} pixels",
        hint="Windowshop loads OpenCLIP models of the modes squash and shortest, the latter for square images.",
    )


def _checked_texts(folder: Path) -> dict[str, Any]:
    """Returns the configuration of the text tower. Raises ModelUnavailable if a file is missing or cannot be read, or
    if the configuration names files of another repository or passes options that could run the model's own code."""
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise ModelUnavailable(
                f"folder {folder} has no {name}",
                hint="OpenCLIP weights are loaded from safetensors only; convert other weights first.",
            )
    config = _json(folder / CONFIG)
    model = config.get("model_cfg")
    if not isinstance(model, dict) or not all(isinstance(model.get(part), dict) for part in ("vision_cfg", "text_cfg")):
        raise ModelUnavailable(f"{CONFIG} of model {folder} has no model_cfg with vision_cfg and text_cfg")
    text: dict[str, Any] = model["text_cfg"]
    vision = model["vision_cfg"]
    if more := sorted(set(text.get("tokenizer_kwargs") or {}) - _TOKENIZER_OPTIONS):
        raise ModelUnavailable(f"{CONFIG} of model {folder} has the tokenizer option {more[0]}, which is not allowed")
    if text.get("hf_model_name"):
        raise ModelUnavailable(
            f"{CONFIG} of model {folder} names the text tower {text['hf_model_name']} of another repository",
            hint="Windowshop loads OpenCLIP models whose text tower is in the same file.",
        )
    if ":" in str(vision.get("timm_model_name", "")):
        raise ModelUnavailable(f"{CONFIG} of model {folder} names the image tower of another repository")
    if text.get("hf_tokenizer_name") and (folder / _TOKENIZER).is_file() and "auto_map" in _json(folder / _TOKENIZER):
        raise ModelUnavailable(f"the tokenizer of model {folder} needs code that comes with the model")
    return text


def _library() -> Any:
    try:
        import open_clip
    except ModuleNotFoundError as error:
        raise ModelUnavailable(f"OpenCLIP models need the package {error.name}", hint=_INSTALL) from error
    except RuntimeError as error:  # torchvision was built for another torch, such as one with CUDA
        raise ModelUnavailable(
            f"OpenCLIP models need a torchvision that fits torch {torch.__version__}: {str(error).splitlines()[0]}",
            hint="Install both from the same index, such as https://download.pytorch.org/whl/cpu.",
        ) from error
    return open_clip


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelUnavailable(f"{path} is not JSON") from error
    if not isinstance(found, dict):
        raise ModelUnavailable(f"{path} is not a JSON object")
    return found
