"""A model is exported for ONNX Runtime, and encoders use the export. If they cannot use it, torch runs the model."""

import builtins
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from encoder.errors import ExportUnusable, ModelUnavailable
from encoder.models import engines, export, exports
from encoder.models.loading import Model, load
from loader.sample import IMAGES
from tests.support import tiny_models

FAMILIES: dict[str, Callable[[Path], Path]] = {
    "clip": tiny_models.make_clip,
    "siglip": tiny_models.make_siglip,
    "siglip2": tiny_models.make_siglip2,
    "multilingual": tiny_models.make_multilingual_clip,
}
TEXTS = ["x", "red shoe", "a chair of wood that two people carry", "word " * 100, "\u200b"]
SAMPLE = sorted(IMAGES.glob("*.webp"))[::400]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module", params=[*FAMILIES, "starter"])
def model(request: pytest.FixtureRequest, folder: Path) -> Model:
    found = load("starter" if request.param == "starter" else str(FAMILIES[request.param](folder / request.param)))
    _written, left_out = export.write(found, folder / "kept", TEXTS, SAMPLE)
    assert left_out == []
    return found


@pytest.fixture(scope="module")
def exported_clip(folder: Path) -> tuple[Model, Path]:
    found = load(str(tiny_models.make_clip(folder / "whole", seed=7)))
    export.write(found, folder / "whole export", TEXTS[:2], SAMPLE[:2])
    return found, folder / "whole export"


@pytest.fixture
def clip(exported_clip: tuple[Model, Path], tmp_path: Path) -> tuple[Model, Path]:
    """Returns a tiny CLIP and the folder of its export, which the test may damage."""
    found, root = exported_clip
    return found, Path(shutil.copytree(root, tmp_path / "kept"))


def loaded(model: Model, root: Path, engine: str = "auto", precision: str = "auto") -> Model:
    choice = engines.choose(model.source, model.revision, "cpu", engine=engine, precision=precision, root=root)
    return choice.use(load(model.source, "cpu", precision=choice.precision))


def least_cosine(one: Any, other: Any) -> float:
    return float((one.astype(np.float64) * other).sum(axis=1).min())


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_the_vectors_of_an_export_are_close_to_those_of_torch(model: Model, folder: Path, precision: str) -> None:
    fast = loaded(model, folder / "kept", precision=precision)
    in_bfloat16 = precision == "auto" and model.source != "starter" and engines.has_bfloat16()
    assert fast.engines == {"image": "torch bfloat16" if in_bfloat16 else "onnxruntime", "text": "onnxruntime"}
    # These inputs are not the samples of the export. ONNX Runtime gets at most 8 images at once, so 9 images need two
    # calls.
    texts = [f"{text} {number}" for number in range(7) for text in ("bag", "a green glass bottle of wine")]
    assert least_cosine(fast.encode_texts(texts), model.encode_texts(texts)) >= exports.MIN_COSINE
    for text in texts[:2]:
        assert least_cosine(fast.encode_texts([text]), model.encode_texts([text])) >= exports.MIN_COSINE
    pixels = np.random.default_rng(1).integers(
        0, 256, (9, model.tower.shape.height, model.tower.shape.width, 3), dtype=np.uint8
    )
    assert least_cosine(fast.encode_pixels(list(pixels)), model.encode_pixels(list(pixels))) >= exports.MIN_COSINE


def test_the_weights_that_onnx_runtime_replaces_are_freed(clip: tuple[Model, Path]) -> None:
    found, root = clip
    fast = loaded(found, root, precision="float32")
    assert sum(weight.numel() for weight in fast._module._module.parameters()) == 0  # type: ignore[union-attr]
    assert sum(weight.numel() for weight in found._module.parameters()) > 0  # type: ignore[attr-defined]


def test_torch_runs_both_towers_without_an_export_or_with_the_engine_torch(
    clip: tuple[Model, Path], tmp_path: Path
) -> None:
    found, root = clip
    for plain in (loaded(found, tmp_path / "none"), loaded(found, root, engine="torch")):
        assert plain.engines == {"image": "torch", "text": "torch"}
        assert np.array_equal(plain.encode_texts(TEXTS), found.encode_texts(TEXTS))
    with pytest.raises(ModelUnavailable, match="has no export below") as refused:
        loaded(found, tmp_path / "none", engine="onnx")
    assert "windowshop model export" in str(refused.value.hint)


@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "description", "long"])
def test_a_damaged_export_is_named_and_torch_runs_the_tower(clip: tuple[Model, Path], damage: str) -> None:
    found, root = clip
    file = root / found.revision / "text.onnx"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:1000])
    elif damage == "changed":
        file.write_bytes(file.read_bytes()[:-1] + b"\0")
    elif damage == "gone":
        file.unlink()
    else:
        file = root / found.revision / exports.DESCRIPTION
        file.write_text("{" if damage == "description" else file.read_text() + " " * exports.MAX_DESCRIPTION_BYTES)
    with capture_logs() as logs:
        plain = loaded(found, root, precision="float32")
    assert plain.engines["text"] == "torch"
    assert [str(file) in line["reason"] and "windowshop model export" in line["hint"] for line in logs] == [True]
    assert np.array_equal(plain.encode_texts(TEXTS), found.encode_texts(TEXTS))
    with pytest.raises(ModelUnavailable, match=str(file)):
        loaded(found, root, engine="onnx", precision="float32")


def test_an_export_of_other_weights_or_of_another_format_is_not_used(clip: tuple[Model, Path]) -> None:
    found, root = clip
    path = root / found.revision / exports.DESCRIPTION
    written = json.loads(path.read_text())
    for changed in ({"format": 0}, {"revision": "0123456789abcdef"}):
        path.write_text(json.dumps({**written, **changed}))
        assert exports.find(root, found.revision) is None


def test_a_missing_library_is_named_with_the_command_that_installs_it(
    clip: tuple[Model, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found, root = clip
    real = builtins.__import__

    def importing(name: str, *rest: Any, **more: Any) -> Any:
        if name == "onnxruntime":
            raise ModuleNotFoundError("No module named 'onnxruntime'", name=name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", importing)
    with capture_logs() as logs:
        assert loaded(found, root, precision="float32").engines == {"image": "torch", "text": "torch"}
    assert {line["hint"] for line in logs} == {"Run: pip install 'windowshop[onnx]'"}
    with pytest.raises(ExportUnusable, match="onnxruntime"):
        export.write(found, tmp_path / "more", TEXTS[:1], SAMPLE[:1])
    assert not (tmp_path / "more").exists()


def test_a_tower_whose_vectors_are_too_far_from_those_of_torch_is_not_kept(
    clip: tuple[Model, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found, _root = clip
    trace = export._trace
    other = load(str(tiny_models.make_clip(tmp_path / "other", seed=8)))

    def wrong_texts(model: Model, part: exports.Part, path: Path) -> None:
        trace(other if part == "text" else model, part, path)

    monkeypatch.setattr(export, "_trace", wrong_texts)
    written, left_out = export.write(found, tmp_path / "kept again", TEXTS[:2], SAMPLE[:2])
    assert list(written.towers) == ["image"] and not written.file("text").exists()
    assert len(left_out) == 1 and "below 0.9999" in left_out[0]


def test_onnx_runtime_is_not_used_on_a_gpu(tmp_path: Path) -> None:
    assert engines.choose("starter", "1", "cuda", engine="auto", precision="auto", root=tmp_path).export is None
    with pytest.raises(ModelUnavailable, match="not on cuda"):
        engines.choose("starter", "1", "cuda", engine="onnx", precision="auto", root=tmp_path)
