"""OpenCLIP checkpoints give the vectors of open-clip-torch. Only safetensors are read, and no code of a model runs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from encoder.errors import ModelUnavailable
from encoder.models.loading import load, model_name
from encoder.models.open_clip import CONFIG, WEIGHTS
from tests.encoder.test_checkpoints import TEXTS, example_images
from tests.support import tiny_models

open_clip = pytest.importorskip("open_clip", reason="the extra open-clip is not installed")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = tmp_path_factory.mktemp("open-clip")
    return {kind: tiny_models.make_open_clip(made / kind, kind) for kind in tiny_models.OPEN_CLIP}


def reference(folder: Path, images: list[Image.Image]) -> dict[str, np.ndarray[Any, Any]]:
    """Returns the vectors of TEXTS and of images, computed with open-clip-torch alone."""
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    with torch.inference_mode():
        texts = model.eval().encode_text(tokenizer(TEXTS), normalize=True)
        pixels = torch.stack([preprocess(image) for image in images])
        return {"texts": texts.numpy(), "images": model.encode_image(pixels, normalize=True).numpy()}


@pytest.mark.parametrize("kind", tiny_models.OPEN_CLIP)
def test_vectors_of_texts_and_images_equal_those_of_the_library(folders: dict[str, Path], kind: str) -> None:
    images = [*example_images(), Image.effect_noise((93, 41), 80).convert("RGB")]
    model = load(str(folders[kind]))
    expected = reference(folders[kind], images)
    found = {"texts": model.encode_texts(TEXTS), "images": model.encode_images(images)}
    for name, rows in found.items():
        assert (np.sum(rows * expected[name], axis=1) > 0.9999).all(), name
        assert (rows @ rows[0])[1:].min() < 0.999, name  # at least one vector differs from the first
    assert model.dimension == expected["texts"].shape[1]


def test_a_prefix_chooses_the_library_for_a_folder_with_files_of_two_libraries(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    both = tiny_models.make_clip(tmp_path / "both", dimension=8)
    for name in (CONFIG, WEIGHTS):
        (both / name).write_bytes((folders["vit"] / name).read_bytes())
    assert load(str(both)).dimension == 8
    assert load(f"open_clip:{both}").dimension == tiny_models.CLIP_DIMENSION
    config = json.loads((both / "config.json").read_text())
    (both / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "marqo.Model"}}))
    # The files of OpenCLIP are loaded, because config.json now needs code of the model.
    assert load(str(both)).dimension == tiny_models.CLIP_DIMENSION
    assert model_name(f"open_clip:{both}") == "both"


def changed(folder: Path, target: Path, part: str, **values: Any) -> Path:
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    config = json.loads((target / CONFIG).read_text())
    config["model_cfg" if part.endswith("_cfg") and part != "preprocess_cfg" else part].setdefault(part, {})
    place = config["model_cfg"][part] if part != "preprocess_cfg" else config[part]
    place.update(values)
    (target / CONFIG).write_text(json.dumps(config))
    return target


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("text_cfg", {"tokenizer_kwargs": {"trust_remote_code": True}}, "tokenizer option trust_remote_code"),
        ("text_cfg", {"hf_model_name": "evil/text"}, "the text tower evil/text of another repository"),
        ("vision_cfg", {"timm_model_name": "hf-hub:evil/tower"}, "the image tower of another repository"),
        ("vision_cfg", {"layers": 3}, "cannot be loaded"),
        ("preprocess_cfg", {"resize_mode": "longest"}, "in the mode longest"),
    ],
)
def test_a_configuration_with_foreign_code_or_an_unsupported_value_is_refused(
    folders: dict[str, Path], tmp_path: Path, part: str, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelUnavailable, match=message):
        load(str(changed(folders["vit"], tmp_path / "changed", part, **values)))


@pytest.mark.parametrize("name", ["open_clip_pytorch_model.bin", "epoch_5.pt"])
def test_pickled_weights_are_refused(folders: dict[str, Path], tmp_path: Path, name: str) -> None:
    folder = changed(folders["vit"], tmp_path / "pickled", "text_cfg")
    (folder / WEIGHTS).rename(folder / name)
    with pytest.raises(ModelUnavailable, match=f"{name} .* may be a pickle"):
        load(str(folder))
    (folder / name).unlink()
    with pytest.raises(ModelUnavailable, match=f"has no {WEIGHTS}"):
        load(f"open_clip:{folder}")
