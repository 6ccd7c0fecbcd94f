"""Chooses what runs a model's towers (its image encoder and its text encoder) on a CPU: ONNX Runtime, if the model has
an export, or torch.

By default, the image tower of CLIP or SigLIP runs in torch with matrix products in bfloat16 under two conditions: the
CPU has instructions for them, and the export found that the vectors are close enough to those in float32. ONNX Runtime
has no matrix products in bfloat16, and takes 1.7 times as long.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
import torch
from torch import Tensor, nn

from encoder.errors import ExportUnusable, ModelUnavailable
from encoder.models import exports
from encoder.models.exports import Export, Part
from encoder.models.loading import Features, Model
from encoder.models.open_clip import Module

log = structlog.get_logger()

ONNX_RUNTIME = "onnxruntime"
INSTALL = "Run: pip install 'windowshop[onnx]'"
# The number of inputs of a run. It is small, because ONNX Runtime keeps the memory of its largest run.
_CHUNKS: Mapping[Part, int] = {"image": 8, "text": 32}


@dataclass(frozen=True)
class EngineChoice:
    """`precision` is for `load`. `parts` names the towers that ONNX Runtime runs, and `use` replaces them in the loaded
    model."""

    precision: str
    export: Export | None
    parts: tuple[Part, ...] = ()
    is_required: bool = False

    def use(self, model: Model) -> Model:
        """Returns the model with the exported towers. If a tower cannot be used, logs the reason and keeps torch's
        tower, or raises ModelUnavailable if the setting `engine` is onnx."""
        if self.precision == "bfloat16" and model.tower.has_precision:
            model = replace(model, engines={**model.engines, "image": "torch bfloat16"})
        loaded = model
        for part in self.parts:
            try:
                model = with_tower(model, part, self.export)  # type: ignore[arg-type]  # only an export has parts
            except ExportUnusable as error:
                self._fall_back_to_torch(model.source, error)
        if model.engines["text"] == ONNX_RUNTIME:
            _free_weights(loaded._module, model)
        return model

    def _fall_back_to_torch(self, source: str, error: ExportUnusable) -> None:
        if self.is_required:
            raise ModelUnavailable(error.message, hint=error.hint) from error
        log.warning("torch runs a tower in place of ONNX Runtime", model=source, reason=error.message, hint=error.hint)


def choose(source: str, revision: str, device: str, *, engine: str, precision: str, root: Path) -> EngineChoice:
    """Returns what runs the model on `device`. `engine` is auto, torch or onnx. `root` has the exports.

    With the engine onnx, raises ModelUnavailable if the device is not cpu or if there is no readable export.
    """
    required = engine == "onnx"
    if required and device != "cpu":
        raise ModelUnavailable(f"ONNX Runtime runs models on the device cpu, not on {device}")
    if engine == "torch" or device != "cpu":
        return EngineChoice(precision, None)
    try:
        export = exports.find(root, revision)
        if export is None:
            if required:
                raise ModelUnavailable(f"model {source} has no export below {root}", hint=exports.HINT)
            return EngineChoice(precision, None)
        fast = precision == "auto" and has_bfloat16() and (export.bfloat16 or 0.0) >= exports.MIN_COSINE
        wanted = [part for part in export.towers if part == "text" or (precision in ("auto", "float32") and not fast)]
        chosen = "bfloat16" if fast else precision
    except ExportUnusable as error:
        EngineChoice(precision, None, (), required)._fall_back_to_torch(source, error)
        return EngineChoice(precision, None)
    return EngineChoice(chosen, export, tuple(wanted), required)


def has_bfloat16() -> bool:
    """Returns whether this CPU has instructions for matrix products in bfloat16."""
    found = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def library() -> Any:
    """Returns the module onnxruntime. Raises ExportUnusable if it is not installed or cannot be loaded."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ExportUnusable(f"the package {ONNX_RUNTIME} cannot be imported: {error}", hint=INSTALL) from error
    onnxruntime.set_default_logger_severity(3)  # errors
    return onnxruntime


class OnnxSession:
    """Runs an ONNX file on a CPU, in the thread that calls it, on at most `chunk` inputs at a time. Several threads may
    call it at the same time."""

    def __init__(self, path: Path, chunk: int) -> None:
        self._chunk = chunk
        runtime = library()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the classes of these errors are private to ONNX Runtime
            reason = str(error).strip().splitlines()
            raise ExportUnusable(
                f"ONNX Runtime cannot load {path}: {reason[0] if reason else type(error).__name__}", hint=exports.HINT
            ) from error
        self._names = [each.name for each in self._session.get_inputs()]

    def __call__(self, features: Mapping[str, Tensor]) -> Tensor:
        """Maps the inputs of a batch, by name, to vectors (n, dimension)."""
        given = {name: features[name].numpy() for name in self._names}
        count = len(given[self._names[0]])
        parts = [
            self._session.run(None, {name: values[first : first + self._chunk] for name, values in given.items()})[0]
            for first in range(0, count, self._chunk)
        ]
        return torch.cat([torch.from_numpy(part) for part in parts])


class _OnnxTexts:
    """Encodes texts with an exported text tower, after the loaded model has tokenized them."""

    def __init__(self, module: Module, session: OnnxSession) -> None:
        self._module, self._session = module, session

    def preprocess(self, inputs: list[Any], /) -> Mapping[str, Any]:
        return self._module.preprocess(inputs)

    def __call__(self, features: Features, /) -> Mapping[str, Any]:
        return {"sentence_embedding": self._session(features)}


def _free_weights(module: Module, model: Model) -> None:
    """Free the weights of the loaded module that `model` does not use, because ONNX Runtime encodes its texts. Nothing
    is freed if torch runs an image tower that is not a torch module."""
    images = model.tower.forward
    used = list(images.parameters()) if isinstance(images, nn.Module) else []
    if isinstance(module, nn.Module) and (used or model.engines["image"] == ONNX_RUNTIME):
        kept = {id(weight) for weight in used}
        for weight in module.parameters():
            if id(weight) not in kept:
                weight.data = weight.data.new_empty(0)


def with_tower(model: Model, part: Part, export: Export) -> Model:
    """Returns the model with the exported image or text tower. Raises ExportUnusable if the tower cannot be loaded."""
    session = OnnxSession(export.checked_file(part), _CHUNKS[part])
    engines = {**model.engines, part: ONNX_RUNTIME}
    if part == "image":
        tower = replace(model.tower, forward=lambda pixels: session({"pixels": pixels}))
        return replace(model, tower=tower, engines=engines)
    return replace(model, _module=_OnnxTexts(model._module, session), engines=engines)
