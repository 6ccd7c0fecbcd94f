"""Recall, reciprocal rank and R-precision have the expected values for vectors whose order is known."""

import numpy as np
import pytest

from encoder.starter.training.evaluate import mean, score

# The vectors of four images, as points on the unit circle. Each test assigns titles and nouns to the images.
IMAGES = np.array([[1, 0], [0.8, 0.6], [0, 1], [0.6, 0.8]], dtype=np.float32)


def test_images_with_the_same_title_count_as_one_query() -> None:
    texts = np.array([[1, 0], [0, 1], [0, 1], [1, 0]], dtype=np.float32)
    found = score(IMAGES, texts, titles=[0, 1, 1, 0], nouns=["cup", "cap", "cap", "cup"])
    assert (found.queries, found.images) == (2, 4)
    assert found.recall_1 == found.mrr == 1.0


def test_an_image_at_rank_2_counts_for_recall_at_5_and_has_reciprocal_rank_one_half() -> None:
    texts = np.array([[0.9, 0.3], [0, 1], [0, 1], [0, 1]], dtype=np.float32)
    found = score(IMAGES, texts, titles=[0, 1, 2, 3], nouns=list("abab"))
    assert found.recall_1 == 0.5
    assert found.recall_5 == 1.0
    assert found.mrr == pytest.approx((1 + 1 / 3 + 1 + 1 / 2) / 4)


def test_r_precision_counts_as_many_results_as_there_are_relevant_images() -> None:
    texts = np.zeros((4, 2), dtype=np.float32)
    neighbours = score(IMAGES, texts, titles=[0, 1, 2, 3], nouns=["cup", "cup", "cap", "cap"])
    # The second and the fourth image are nearest to each other, but they have different nouns.
    assert neighbours.r_precision == 0.5
    assert mean([neighbours, neighbours])["r_precision"] == 0.5
