"""A short training run learns its pairs of an image and a caption. An image also matches the captions of other images
with the same title. A caption that is similar to the image's own caption does not count as a mismatch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from encoder.starter.head import DIMENSION
from encoder.starter.tower import CLASSES, MID, POOLED
from encoder.starter.training import fit, measure, views
from encoder.starter.training.captions import Captions
from encoder.starter.training.features import Features
from encoder.starter.training.pairs import Pair

PAIRS = 24


def units(rows: int, rng: np.random.Generator) -> np.ndarray:
    made = rng.normal(size=(rows, DIMENSION)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def training_material() -> fit.Material:
    """Returns random features and captions without a common pattern, so that only a training run with a working loss
    learns the pairs."""
    rng = np.random.default_rng(11)
    torch.manual_seed(11)
    shape = (PAIRS, views.COUNT)
    own = rng.random((PAIRS, 1, POOLED)) + 0.05 * rng.random((*shape, POOLED))
    return fit.Material(
        pairs=[Pair(Path(f"{i}.webp"), f"thing {i}", (), "thing", "", "") for i in range(PAIRS)],
        features=Features(own.astype(np.float16), rng.normal(size=(*shape, MID)).astype(np.float16), np.zeros(shape)),
        captions=Captions(
            units(PAIRS, rng), np.arange(PAIRS), [[i] for i in range(PAIRS)], [[None] * views.COUNT] * PAIRS
        ),
        classes=units(CLASSES, rng),
        classifier=torch.nn.Linear(POOLED, CLASSES).requires_grad_(False),
    )


def first_hits(training_material: fit.Material, head: fit.Head) -> float:
    images = measure.vectors(training_material, head, range(PAIRS))
    nearest = (training_material.captions.vectors @ images.T).argmax(1)
    return float((nearest == np.arange(PAIRS)).mean())


def test_a_tiny_training_run_memorises_its_pairs(training_material: fit.Material) -> None:
    rows = list(range(PAIRS))
    assert first_hits(training_material, fit.start(training_material, rows)) < 0.3
    recipe = fit.Recipe(epochs=40, dropout=0.0, pseudo_pairs=8)
    assert first_hits(training_material, fit.fit(training_material, rows, recipe)) > 0.9


def test_directions_that_many_logits_share_are_damped(training_material: fit.Material) -> None:
    head = fit.start(training_material, range(PAIRS))
    with torch.no_grad():
        logits = training_material.classifier(torch.from_numpy(training_material.features.pooled[:, 0]).float())
        damped = torch.linalg.svdvals(head.standardised(logits))[0]
        head.shared.zero_()
        assert damped <= torch.linalg.svdvals(head.standardised(logits))[0]


def test_the_same_seed_trains_the_same_head(training_material: fit.Material) -> None:
    recipe = fit.Recipe(epochs=2, pseudo_pairs=8)
    first, second = (fit.fit(training_material, range(PAIRS), recipe) for _ in range(2))
    torch.testing.assert_close(first.state_dict(), second.state_dict(), atol=1e-5, rtol=1e-4)


def test_a_caption_similar_to_the_caption_of_the_image_is_not_a_negative() -> None:
    images = torch.eye(3)[[0, 0, 2]]
    texts = torch.nn.functional.normalize(torch.tensor([[1.0, 0, 0], [0.9, 0.3, 0], [0, 0, 1.0]]), dim=1)
    labels = torch.arange(3)
    masked = fit.contrast(images, texts, labels, torch.tensor(20.0), false_negative_cosine=0.75)
    counted = fit.contrast(images, texts, labels, torch.tensor(20.0), false_negative_cosine=1.1)
    assert masked < 0.01 < counted


def test_images_with_equal_titles_are_positives_of_each_other() -> None:
    both = torch.eye(4)[[0, 1, 2]]
    apart = fit.contrast(both, both, torch.tensor([0, 1, 2]), torch.tensor(20.0), false_negative_cosine=0.75)
    same = fit.contrast(both, both, torch.tensor([0, 0, 2]), torch.tensor(20.0), false_negative_cosine=0.75)
    assert apart < 0.01 < same  # two orthogonal images of one title raise the loss
