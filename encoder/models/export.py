"""Exports a model's towers (its image encoder and its text encoder) for ONNX Runtime, and keeps a tower only if its
vectors are close to those of torch."""

import hashlib
import logging
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize

from db.images.pixels import Pixels
from encoder.errors import ExportUnusable
from encoder.models import exports
from encoder.models.engines import INSTALL, has_bfloat16, library, with_tower
from encoder.models.exports import MIN_COSINE, Export, ExportedTower, Part
from encoder.models.loading import Model, Vectors, load

_OPSET = 18
_ABANDONED_SECONDS = 3600.0  # an older temporary folder is deleted, because no export takes this long
_TRACED_TEXTS = ["a red shoe", "a longer text about blue shoes"]

Step = Callable[[str], AbstractContextManager[Any]]  # shows that a step with this description is running


def write(
    model: Model, root: Path, texts: Sequence[str], images: Sequence[Path], step: Step = lambda _: nullcontext()
) -> tuple[Export, list[str]]:
    """Export the towers of a model that `load` has loaded on a CPU in float32. An older export of the same revision is
    replaced. `texts` and `images` are samples, on which the vectors are compared.

    Returns the export, and a sentence about each tower that is not kept. Raises ExportUnusable if a package is missing
    or the files cannot be written.
    """
    library()
    try:
        import onnx  # noqa: F401  torch's exporter needs the package
    except ImportError as error:
        raise ExportUnusable(f"the package onnx cannot be imported: {error}", hint=INSTALL) from error
    pixels = [_pixels(model, path) for path in images]
    wanted: dict[Part, Vectors] = {"image": model.encode_pixels(pixels), "text": _one_by_one(model, texts)}
    towers: dict[Part, ExportedTower] = {}
    left_out: list[str] = []
    temporary: Path | None = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        for left in root.glob(f".{model.revision}-*"):  # of an export that was killed
            if left.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{model.revision}-", dir=root))
        for part in exports.PARTS:
            with step(f"Exporting the {part} tower for ONNX Runtime"):
                try:
                    _trace(model, part, temporary / f"{part}.onnx")
                    found = _tower(model, Export(temporary, {}, None), part, texts, pixels, wanted[part])
                except ExportUnusable as error:
                    left_out.append(f"The {part} tower is not exported: {error.message}.")
                    (temporary / f"{part}.onnx").unlink(missing_ok=True)
                    continue
            towers[part] = found
        with step("Comparing the vectors of bfloat16"):
            export = Export(temporary, towers, _bfloat16(model, pixels, wanted["image"]))
        exports.write_description(export, model.revision)
        folder = root / model.revision
        shutil.rmtree(folder, ignore_errors=True)
        temporary.chmod(0o755)
        temporary.rename(folder)
    except OSError as error:
        raise ExportUnusable(f"the export cannot be written to {root}: {error.strerror}") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return Export(folder, towers, export.bfloat16), left_out


def _pixels(model: Model, path: Path) -> Pixels:
    with Image.open(path) as image:
        return model.tower.shape.pixels(image.convert("RGB"))


def _one_by_one(model: Model, texts: Sequence[str]) -> Vectors:
    return np.concatenate([model.encode_texts([text]) for text in texts])


class _Traced(nn.Module):
    """A module that calls a function of tensors and normalizes the result. torch exports only modules."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self._function = function

    def forward(self, *given: Tensor) -> Tensor:
        return normalize(self._function(*given).float(), dim=-1)


def _trace(model: Model, part: Part, path: Path) -> None:
    """Write the ONNX file of a tower. Raises ExportUnusable with the reason if the tower cannot be exported, and
    OSError if the file cannot be written."""
    function, given = _image_tower(model) if part == "image" else _text_tower(model)
    axes = {name: {0: "n"} for name in (*given, "vectors")}
    for name, values in given.items():
        if part == "text" and values.ndim > 1:
            axes[name][1] = "tokens"
    noisy = logging.getLogger("torch.onnx")
    level = noisy.level
    noisy.setLevel(logging.ERROR)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing warns about each condition on a shape
            torch.onnx.export(
                _Traced(function).eval(),
                tuple(given.values()),
                str(path),
                input_names=list(given),
                output_names=["vectors"],
                dynamic_axes=axes,
                opset_version=_OPSET,
                dynamo=False,  # the newer exporter fixes the length of texts
            )
    except OSError:
        raise
    except Exception as error:  # the exporter raises errors of many classes
        reason = str(error).strip().splitlines()
        raise ExportUnusable(f"torch cannot export it: {reason[0] if reason else type(error).__name__}") from error
    finally:
        noisy.setLevel(level)


def _image_tower(model: Model) -> tuple[Callable[..., Tensor], dict[str, Tensor]]:
    forward, shape = model.tower.forward, model.tower.shape
    if forward is None:
        raise ExportUnusable("only the model's own processor can prepare its images")
    return forward, {"pixels": torch.randint(0, 256, (2, shape.height, shape.width, 3), dtype=torch.uint8)}


def _text_tower(model: Model) -> tuple[Callable[..., Tensor], dict[str, Tensor]]:
    features = model.prepare_texts(_TRACED_TEXTS)
    given = {name: value for name, value in features.items() if isinstance(value, Tensor)}
    fixed = {name: value for name, value in features.items() if name not in given}
    module: Any = model._module
    if isinstance(module, nn.Module):
        module.requires_grad_(False)  # weights that are traced as constants must not need a gradient

    def forward(*values: Tensor) -> Tensor:
        return module({**fixed, **dict(zip(given, values, strict=True))})["sentence_embedding"]  # type: ignore[no-any-return]

    return forward, given


def _tower(
    model: Model, export: Export, part: Part, texts: Sequence[str], pixels: Sequence[Pixels], wanted: Vectors
) -> ExportedTower:
    """Returns the tower in the file that `_trace` wrote. Raises ExportUnusable if ONNX Runtime cannot load it, or if
    its vectors are too far from `wanted`."""
    with export.file(part).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    exported = with_tower(model, part, Export(export.folder, {part: ExportedTower(sha256, 1.0)}, None))
    if part == "image":
        cosine = _least_cosine(exported.encode_pixels(pixels), wanted)
    else:  # each text is encoded alone, and all texts together in one batch
        cosine = min(
            _least_cosine(_one_by_one(exported, texts), wanted), _least_cosine(exported.encode_texts(texts), wanted)
        )
    if cosine < MIN_COSINE:
        raise ExportUnusable(f"the least cosine of its vectors to those of torch is {cosine:.5f}, below {MIN_COSINE}")
    return ExportedTower(sha256, cosine)


def _bfloat16(model: Model, pixels: Sequence[Pixels], wanted: Vectors) -> float | None:
    """Returns the least cosine to `wanted` of the image tower with matrix products in bfloat16, or None if this CPU or
    this tower has no such products."""
    if not has_bfloat16() or not model.tower.has_precision:
        return None
    return _least_cosine(load(model.source, "cpu", model.revision, precision="bfloat16").encode_pixels(pixels), wanted)


def _least_cosine(found: Vectors, wanted: Vectors) -> float:
    return float((found.astype(np.float64) * wanted).sum(axis=1).min())
