"""Models are loaded by name and by folder. The code that loads real checkpoints also loads tiny CLIP and SigLIP models.
The starter model places an image of a guitar nearer to the word guitar than to "a pair of shoes"."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoder.errors import ModelUnavailable
from encoder.models.loading import Model, load, model_name, split
from encoder.models.sources import resolved
from tests.support import tiny_models

FAMILIES = {
    "clip": tiny_models.make_clip,
    "siglip": tiny_models.make_siglip,
    "siglip2": tiny_models.make_siglip2,
    "multilingual": tiny_models.make_multilingual_clip,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module", params=[*FAMILIES, "starter"])
def model(request: pytest.FixtureRequest, folder: Path) -> Model:
    if request.param == "starter":
        return load("starter")
    return load(str(FAMILIES[request.param](folder / request.param)))


def image(color: str) -> Image.Image:
    image = Image.new("RGB", (80, 60), "white")
    image.paste(color, (10, 10, 50, 40))
    return image


def test_texts_and_images_become_unit_vectors_of_one_space(model: Model) -> None:
    texts, images = model.encode_texts(["red chair", "blue"]), model.encode_images([image("red"), image("blue")])
    assert texts.shape == images.shape == (2, model.dimension)
    assert np.allclose(np.linalg.norm(np.concatenate([texts, images]), axis=1), 1, atol=1e-4)


def test_a_vector_does_not_depend_on_the_other_inputs_of_its_batch(model: Model) -> None:
    texts = ["chair", "a very long description of something or other " * 3, "b"]
    together = model.encode_texts(texts)
    for text, vector in zip(texts, together, strict=True):
        assert float(model.encode_texts([text])[0] @ vector) > 0.9999
    images = [image("red"), image("green"), image("blue")]
    together = model.encode_images(images)
    assert np.allclose(together, np.concatenate([model.encode_images([image]) for image in images]), atol=1e-4)
    features = model.prepare_pixels([model.tower.shape.pixels(image) for image in images])
    assert np.allclose(model.forward(split(features, 1, 3)), together[1:], atol=1e-4)


def test_a_text_over_the_limit_of_the_model_is_truncated_not_refused(model: Model) -> None:
    assert model.encode_texts(["word " * 2000]).shape == (1, model.dimension)


@pytest.mark.parametrize("text", ["\U0001f469\u200d\U0001f680", "\u202eright to left", "x", "DROP TABLE", "\u200b"])
def test_unusual_texts_are_encoded(model: Model, text: str) -> None:
    assert np.isfinite(model.encode_texts([text])).all()


def test_a_text_that_looks_like_a_path_or_url_is_never_opened(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret.png"
    image("red").save(path)
    by_image = model.encode_images([image("red")])[0]

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("a query text was opened")

    for target in ("PIL.Image.open", "socket.socket.connect", "urllib.request.urlopen"):
        monkeypatch.setattr(target, opened)
    texts = [str(path), "http://127.0.0.1:9/x.jpg", "data:image/png;base64,iVBORw0KGgo="]
    vectors = model.encode_texts(texts)
    assert vectors.shape == (3, model.dimension)
    assert float(vectors[0] @ by_image) < 0.99


def test_a_siglip_text_is_padded_to_full_length_and_a_single_clip_text_is_not_padded(folder: Path) -> None:
    siglip = load(str(tiny_models.make_siglip(folder / "padded")))
    assert siglip.prepare_texts(["a"])["input_ids"].shape == (1, 64)
    clip = load(str(tiny_models.make_clip(folder / "unpadded")))
    assert clip.prepare_texts(["a"])["input_ids"].shape == (1, 3)
    assert clip.prepare_texts(["a" * 500])["input_ids"].shape == (1, 77)


def test_the_revision_of_a_folder_depends_only_on_its_content(folder: Path) -> None:
    one = load(str(tiny_models.make_clip(folder / "one", seed=1)))
    same = load(str(tiny_models.make_clip(folder / "same", seed=1)))
    other = load(str(tiny_models.make_clip(folder / "other", seed=2)))
    assert one.revision == same.revision != other.revision


def test_the_model_starter_places_an_image_of_a_guitar_nearer_to_guitar_than_to_shoes() -> None:
    starter = load("starter")
    images = Path(__file__).parents[2] / "loader" / "sample" / "images"
    guitar = starter.encode_images([Image.open(images / "fluent_1376.webp").convert("RGB")])[0]
    close, far = starter.encode_texts(["guitar", "a pair of shoes"]) @ guitar
    assert close > far + 0.1


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("sentence-transformers/clip-ViT-B-32", "clip_vit_b_32"),
        ("google/siglip2-base-patch16-224", "siglip2_base_patch16_224"),
        ("/data/My Model/", "my_model"),
        ("./32-bit", "bit"),
        ("/models/99", "model"),
    ],
)
def test_the_model_name_derived_from_a_source_can_be_part_of_table_names(source: str, name: str) -> None:
    assert model_name(source) == name


def test_a_missing_folder_and_a_folder_without_a_model_are_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no model folder"):
        load(str(tmp_path / "gone"))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        load(str(tmp_path))


def test_the_source_of_a_folder_is_absolute_with_and_without_a_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolved("./model") == str(tmp_path / "model")
    assert resolved("open_clip:./model") == f"open_clip:{tmp_path / 'model'}"
    assert [resolved(name) for name in ("starter", "open_clip:Marqo/base")] == ["starter", "open_clip:Marqo/base"]
