"""Loads a model by name or folder as one object that turns texts and images into unit vectors.

`encoder.starter` loads `starter`. sentence-transformers loads plain folders of CLIP and SigLIP models, and folders that
it has saved itself. open-clip-torch loads folders of OpenCLIP checkpoints (open_clip.py). A name on a hub is first
downloaded as a folder.

Encoding has two steps, which a pipeline can overlap: `prepare_*` runs the processor in any thread, and `forward` runs
the model on its device. The processes that decode images also resize the images; these processes need only
`tower.shape`, not the model.
"""

import hashlib
import os
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import snapshot_download
from numpy.typing import NDArray
from PIL import Image
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import batch_to_device
from transformers.utils import logging as transformers_log

from db.images.pixels import Pixels
from encoder import starter
from encoder.errors import ModelMismatch, ModelUnavailable
from encoder.models.image_tower import ImageTower, image_tower
from encoder.models.model_folder import check_folder
from encoder.models.open_clip import Module, is_open_clip, load_open_clip
from encoder.models.sources import PREFIX

FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]  # the files that are downloaded from a hub

Features = dict[str, Any]
Vectors = NDArray[np.float32]  # (n, dimension), unit length


@dataclass(frozen=True)
class Model:
    """A loaded model. Several threads may call its methods at the same time."""

    source: str
    revision: str
    dimension: int
    device: str
    tower: ImageTower = field(repr=False)
    _module: Module = field(repr=False)
    _tokenizing: threading.Lock = field(default_factory=threading.Lock, repr=False)
    engines: Mapping[str, str] = field(default_factory=lambda: {"image": "torch", "text": "torch"})  # of each tower

    def prepare_texts(self, texts: Sequence[str]) -> Features:
        # Texts are wrapped as {"text": ...}. If a bare string looked like a path or URL, sentence-transformers would
        # open it as an image. The lock is needed because a fast tokenizer sets its truncation in each call and fails
        # when two threads call it at the same time.
        with self._tokenizing:
            return dict(self._module.preprocess([{"text": text} for text in texts]))

    def prepare_pixels(self, pixels: Sequence[Pixels] | Pixels) -> Features:
        """Returns the model's input for images that `tower.shape` has prepared, each (height, width, 3)."""
        if self.tower.forward is None:
            return dict(self._module.preprocess([Image.fromarray(one) for one in pixels]))
        return {"pixels": torch.from_numpy(pixels if isinstance(pixels, np.ndarray) else np.stack(pixels))}

    def forward(self, features: Features) -> Vectors:
        """Returns unit vectors, (n, dimension). Raises ModelMismatch if a vector is zero or not finite."""
        with torch.inference_mode():
            output = self._forward(batch_to_device(features, torch.device(self.device)))
            vectors = torch.nn.functional.normalize(output.float(), dim=-1).cpu().numpy()
        if not np.isfinite(vectors).all() or (np.linalg.norm(vectors, axis=1) < 0.5).any():
            raise ModelMismatch(f"model {self.source} gave a vector that is not finite or is zero")
        return np.asarray(vectors, dtype=np.float32)

    def _forward(self, features: Features) -> torch.Tensor:
        if self.tower.forward is not None and "pixels" in features:
            return self.tower.forward(features["pixels"])
        return self._module(features)["sentence_embedding"]  # type: ignore[no-any-return]  # untyped

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return self.forward(self.prepare_texts(texts))

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """Takes upright RGB images."""
        return self.encode_pixels([self.tower.shape.pixels(image) for image in images])

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Vectors:
        return self.forward(self.prepare_pixels(pixels))

    def warm_up(self) -> None:
        """Run both towers once, because the first pass of a tower is several times slower than later passes."""
        self.encode_texts(["warm up"])
        self.encode_images([Image.new("RGB", (64, 64), "white")])


def split(features: Features, start: int, end: int) -> Features:
    """Returns the inputs from `start` up to, but not including, `end`."""
    return {key: value[start:end] if isinstance(value, torch.Tensor) else value for key, value in features.items()}


def pick_device(name: str) -> str:
    """Returns a torch device; `auto` picks cuda, else mps, else cpu. Raises ModelUnavailable for a device that this
    machine lacks."""
    if name == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ModelUnavailable(f"device {name} is not available: {str(error).splitlines()[0]}") from error
    return name


def model_threads(device: str) -> int:
    """Returns the number of threads that should run a model on this device; lanes/pipeline.py gives the reason. On a
    CPU, also limits torch to one thread in each of these threads."""
    if device != "cpu":
        return 1
    torch.set_num_threads(1)
    return min(os.cpu_count() or 1, 16)


def load(
    source: str, device: str = "cpu", revision: str | None = None, *, precision: str = "auto", compiled: int = 0
) -> Model:
    """Load `starter`, a folder, or a name on a hub at `revision`. Without a network, the hub's local cache is used.

    `image_tower` explains `precision` and `compiled`. Raises ModelUnavailable with the reason if the model cannot be
    loaded, and ModelMismatch if the files of the starter have changed or a vector of the model is zero or not finite.
    """
    transformers_log.set_verbosity_error()
    transformers_log.disable_progress_bar()
    if source == starter.NAME:
        module = starter.load(device)
        return Model(source, starter.revision(), starter.DIMENSION, device, image_tower(module, device), module)
    wanted = source.removeprefix(PREFIX)
    named = Path(wanted).expanduser()
    if not named.is_dir() and (named.is_absolute() or wanted.startswith((".", "~"))):
        raise ModelUnavailable(f"there is no model folder {wanted}", hint="Name a folder that holds a config.json.")
    try:
        folder = named if named.is_dir() else _hub_folder(wanted, revision)
        check_folder(folder)
        if wanted != source or is_open_clip(folder):
            return _model(source, folder, named, device, *load_open_clip(folder, device, precision))
        module = SentenceTransformer(
            str(folder),
            device=device,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )
    except ModelUnavailable:
        raise
    except Exception as error:  # hub, config and weight errors share no base class
        reason = str(error).strip().splitlines()
        raise ModelUnavailable(
            f"model {source} cannot be loaded: {reason[0] if reason else type(error).__name__}",
            hint="A folder needs config.json, model.safetensors, tokenizer and image processor, or OpenCLIP's files; a "
            "hub name needs the hub or its local cache.",
        ) from error
    module.eval()
    _fix_text_length(module)
    for modality in ("text", "image"):
        if not module.supports(modality):
            raise ModelUnavailable(f"model {source} does not encode {modality}s; Windowshop needs text and image")
    return _model(source, folder, named, device, module, image_tower(module, device, precision, compiled))


def _model(source: str, folder: Path, named: Path, device: str, module: Module, tower: ImageTower) -> Model:
    # The name of a hub snapshot's folder is its commit.
    found = folder_revision(folder) if folder == named else folder.name
    dimension = int(Model(source, found, 0, device, tower, module).encode_texts(["dimension"]).shape[1])
    return Model(source, found, dimension, device, tower, module)


def folder_revision(folder: Path) -> str:
    """Returns 16 hex digits of a hash over the paths and contents of the configuration, tokenizer files and weights in
    a folder."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".json", ".safetensors", ".txt", ".model")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def model_name(source: str) -> str:
    """Returns the name of a model in the database: `clip_vit_b_32` for `sentence-transformers/clip-ViT-B-32`."""
    last = source.removeprefix(PREFIX).rstrip("/").rsplit("/", 1)[-1].lower()
    return re.sub(r"^[^a-z]+", "", re.sub(r"[^a-z0-9]+", "_", last)).strip("_")[:40] or "model"


def _fix_text_length(module: SentenceTransformer) -> None:
    """Make CLIP truncate texts at the length of its position table, because CLIP fails on longer texts. Make SigLIP pad
    texts to full length, because SigLIP was trained on padded texts and gives useless vectors for others."""
    transformer = module[0]
    config: Any = getattr(getattr(transformer, "model", None), "config", None)
    length = getattr(getattr(config, "text_config", None), "max_position_embeddings", None)
    if length is None:
        return
    text: dict[str, Any] = {"truncation": True, "max_length": length}
    if str(config.model_type).startswith("siglip"):
        text["padding"] = "max_length"
    known = dict(transformer.processing_kwargs)
    transformer.processing_kwargs = {**known, "text": {**known.get("text", {}), **text}}


def _hub_folder(source: str, revision: str | None) -> Path:
    """Returns the local folder with a hub's model at `revision`. Downloads only configuration, tokenizer files and
    safetensors."""
    repository = source if "/" in source else f"sentence-transformers/{source}"
    return Path(snapshot_download(repository, revision=revision, allow_patterns=FILES))
