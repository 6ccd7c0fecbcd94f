"""A model is pinned to a commit and loaded from safetensors. No code of a model's author runs, and a cached model needs
no network. The vectors of CLIP, SigLIP and SigLIP 2 models equal those that the library transformers computes.

After an intended change of the vectors, run UPDATE_GOLDEN=1 pytest tests/encoder/test_checkpoints.py and review the
change of the golden file.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sqlalchemy import text
from transformers import AutoModel, AutoProcessor

from db.engine import Database
from db.roles import Role
from encoder.errors import ModelUnavailable
from encoder.models.loading import load
from tests.support import tiny_models
from tests.support.processes import windowshop

GOLDEN = Path(__file__).with_name("family_vectors.golden.json")
FAMILIES: dict[str, tuple[Callable[[Path], Path], dict[str, Any]]] = {
    "clip": (tiny_models.make_clip, {"padding": True, "truncation": True, "max_length": 77}),
    "siglip": (tiny_models.make_siglip, {"padding": "max_length", "truncation": True, "max_length": 64}),
    "siglip2": (tiny_models.make_siglip2, {"padding": "max_length", "truncation": True, "max_length": 64}),
}
TEXTS = ["a red chair", "x", "Lederrucksack für Männer", "far too long for any of them, " * 20]


def example_images() -> list[Image.Image]:
    """Returns a gradient, an image that is not square, and a grey image."""
    ramp = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    return [
        Image.fromarray(np.stack([ramp, ramp.T // 2, 255 - ramp], axis=-1)),
        Image.fromarray(np.stack([ramp[:40], ramp[:40] * 2, ramp[:40] // 3], axis=-1)),
        Image.new("RGB", (50, 50), (128, 128, 128)),
    ]


def reproducible_model(family: str, folder: Path) -> Path:
    """Creates a tiny model. The name of a weight is the seed of its values, so every run creates the same weights. Like
    the tokenizers of some real models, the tokenizer sets no maximum text length."""
    made = FAMILIES[family][0](folder)
    weights = load_file(made / "model.safetensors")
    for name, tensor in weights.items():
        if tensor.is_floating_point():
            values = np.random.default_rng(crc32(name.encode())).standard_normal(tensor.shape) * 0.2
            weights[name] = torch.from_numpy(np.asarray(values, dtype=np.float32))
    tokenizer = json.loads((made / "tokenizer_config.json").read_text())
    del tokenizer["model_max_length"]
    (made / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    save_file(weights, made / "model.safetensors", metadata={"format": "pt"})
    return made


def reference(family: str, folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Returns the vectors of TEXTS and example_images(), computed with the library transformers alone."""
    model, processor = AutoModel.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder)
    with torch.inference_mode():
        texts = model.get_text_features(**processor(text=TEXTS, return_tensors="pt", **FAMILIES[family][1]))
        images = model.get_image_features(**processor(images=example_images(), return_tensors="pt"))
    found = {"texts": texts, "images": images}
    vectors = {name: getattr(value, "pooler_output", value) for name, value in found.items()}
    return {name: torch.nn.functional.normalize(value, dim=-1).numpy() for name, value in vectors.items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_of_a_family_equal_the_reference_and_the_golden_file(family: str, tmp_path: Path) -> None:
    folder = reproducible_model(family, tmp_path / family)
    model = load(str(folder))
    alone = [model.encode_texts([each]) for each in TEXTS]  # a batch would be padded to its longest text
    vectors = {"texts": np.concatenate(alone), "images": model.encode_images(example_images())}
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("UPDATE_GOLDEN"):
        golden[family] = {name: [[round(float(x), 5) for x in row] for row in rows] for name, rows in vectors.items()}
        GOLDEN.write_text(json.dumps(golden, separators=(",", ":")).replace("]],", "]],\n") + "\n")
    expected = reference(family, folder)
    for name, rows in vectors.items():
        assert np.allclose(rows, expected[name], atol=1e-5), name
        assert np.allclose(rows, np.array(golden[family][name]), atol=1e-3), name
        assert (rows @ rows[0])[1:].max() < 0.999, name  # all other vectors differ from the first


def test_a_model_of_two_towers_encodes_images_like_clip_and_texts_like_its_text_tower(tmp_path: Path) -> None:
    pair, clip = load(str(tiny_models.make_multilingual_clip(tmp_path))), load(str(tmp_path / "clip"))
    assert pair.tower.forward is not None  # the model uses the fast image tower
    assert np.allclose(pair.encode_images(example_images()), clip.encode_images(example_images()), atol=1e-6)
    own = SentenceTransformer(str(tmp_path / "pair"), device="cpu").encode(TEXTS, normalize_embeddings=True)
    assert np.allclose(pair.encode_texts(TEXTS), own, atol=1e-5)


def test_clip_encodes_the_first_77_tokens_of_a_long_text(tmp_path: Path) -> None:
    model = load(str(reproducible_model("clip", tmp_path / "clip")))
    # 75 tokens, a start token and an end token make 77.
    whole, more, less = model.encode_texts(["a" * 75, "a" * 75 + " and more", "a" * 74])
    assert np.allclose(whole, more, atol=1e-6)
    assert not np.allclose(whole, less, atol=1e-3)


# --- weights and code that are never loaded


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = tiny_models.make_clip(tmp_path / "clip")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    for _ in ("beside safetensors", "alone"):
        with pytest.raises(ModelUnavailable, match=r"pytorch_model\.bin .* may be a pickle"):
            load(str(folder))
        (folder / "model.safetensors").unlink(missing_ok=True)


def test_pickled_weights_of_an_added_module_are_refused(tmp_path: Path) -> None:
    from sentence_transformers.sentence_transformer.modules import Dense

    plain = SentenceTransformer(str(tiny_models.make_clip(tmp_path / "clip")), device="cpu")
    folder = tmp_path / "dense"
    SentenceTransformer(modules=[*plain, Dense(tiny_models.CLIP_DIMENSION, 8)], device="cpu").save(str(folder))
    assert load(str(folder)).dimension == 8
    [weights] = folder.glob("*Dense/model.safetensors")
    torch.save(load_file(weights), weights.with_name("pytorch_model.bin"))
    weights.unlink()
    with pytest.raises(ModelUnavailable, match="may be a pickle"):
        load(str(folder))


def add_own_module(folder: Path) -> None:
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": "evil.Evil"}]))


def add_own_architecture(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}}
    (folder / "config.json").write_text(json.dumps(config))


def add_own_processor(folder: Path) -> None:
    for path in (folder / "processor_config.json", folder / "preprocessor_config.json"):
        known = json.loads(path.read_text()) if path.exists() else {}
        auto_map = {"AutoProcessor": "evil.Evil", "AutoImageProcessor": "evil.Evil"}
        path.write_text(json.dumps({**known, "auto_map": auto_map}))


@pytest.mark.parametrize(
    ("change", "refused"),
    [(add_own_module, True), (add_own_architecture, True), (add_own_processor, False)],
)
def test_code_that_comes_with_a_model_never_runs(change: Callable[[Path], None], refused: bool, tmp_path: Path) -> None:
    folder = tiny_models.make_clip(tmp_path / "clip")
    proof = tmp_path / "it-ran"
    (folder / "evil.py").write_text(f"open({str(proof)!r}, 'w')\n\n\nclass Evil:\n    pass\n")
    change(folder)
    if refused:
        with pytest.raises(ModelUnavailable, match=r"cannot be loaded|names the code evil\.Evil"):
            load(str(folder))
    else:  # transformers ignores this code and uses a processor class of its own
        load(str(folder))
    assert not proof.exists()


# --- models are loaded by name and commit, from the cache

ONE, TWO = "1" * 40, "2" * 40


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Returns a hub cache with two commits of shop/tiny-clip. The commits have different weights, and the branch main
    leads to the first commit."""
    cache = tmp_path / "hub"
    repository = cache / "models--shop--tiny-clip"
    for seed, commit in enumerate((ONE, TWO)):
        tiny_models.make_clip(repository / "snapshots" / commit, seed=seed)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(ONE)
    return cache


def test_a_hub_model_is_pinned_to_its_commit_and_needs_no_network_once_it_is_cached(
    database: Database, environment: Callable[[Database], dict[str, str]], cache: Path
) -> None:
    env = environment(database) | {"HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    added = windowshop("model", "add", "shop/tiny-clip", env=env)
    assert added.returncode == 0, added.stderr
    with database.connect(Role.ANALYST) as conn:
        row = conn.execute(text("select name, source, revision, dimension from shop.model")).one()
    assert row == ("tiny_clip", "shop/tiny-clip", ONE, tiny_models.CLIP_DIMENSION)

    (cache / "models--shop--tiny-clip" / "refs" / "main").write_text(TWO)  # the model's author commits again
    encoded = windowshop("encode", "--once", env=env)
    assert encoded.returncode == 0, encoded.stderr

    shutil.rmtree(cache / "models--shop--tiny-clip" / "snapshots" / ONE)
    gone = windowshop("encode", "--once", env=env)
    assert gone.returncode == 5
    assert "model shop/tiny-clip cannot be loaded" in gone.stderr


def test_an_open_clip_folder_whose_tokenizer_needs_code_is_refused(tmp_path: Path) -> None:
    config = {"vision_cfg": {}, "text_cfg": {"hf_tokenizer_name": "tokenizer"}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    save_file({"weight": torch.zeros(1)}, tmp_path / "open_clip_model.safetensors")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": ["evil.Tokens", None]}}))
    with pytest.raises(ModelUnavailable, match="the tokenizer of model .* needs code that comes with the model"):
        load(str(tmp_path))
