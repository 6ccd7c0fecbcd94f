"""The head turns features of images into unit vectors, and a saved head computes the same vectors."""

from pathlib import Path

import torch

from encoder.starter import head as heads
from encoder.starter.tower import CLASSES, MID, POOLED


def some_images() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    made = torch.Generator().manual_seed(3)
    return (
        torch.rand(40, POOLED, generator=made),
        torch.randn(40, MID, generator=made),
        torch.randn(40, CLASSES, generator=made),
    )


def a_head() -> heads.Head:
    torch.manual_seed(5)
    head = heads.Head()
    head.classes.normal_()
    head.common.copy_(torch.nn.functional.normalize(torch.randn(heads.DIMENSION), dim=0))
    return head.eval()


def test_a_saved_head_gives_the_same_vectors(tmp_path: Path) -> None:
    head = a_head()
    heads.save(head, tmp_path / "head.safetensors")
    stored = heads.load(tmp_path / "head.safetensors")
    with torch.inference_mode():
        cosines = (head(*some_images()) * stored(*some_images())).sum(1)
    assert cosines.min() > 0.99999  # the file has half precision, which changes a cosine by less than 0.00001


def test_vectors_have_length_1_and_are_orthogonal_to_the_direction_that_all_texts_share() -> None:
    head = a_head()
    with torch.inference_mode():
        vectors = head(*some_images())
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(40))
    torch.testing.assert_close(vectors @ head.common, torch.zeros(40), atol=1e-5, rtol=0)


def test_the_prior_of_an_image_without_an_unusual_class_is_zero_and_not_nan() -> None:
    head = a_head()
    assert torch.equal(head.prior(torch.zeros(2, CLASSES)), torch.zeros(2, heads.DIMENSION))
