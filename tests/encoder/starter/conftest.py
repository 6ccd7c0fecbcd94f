"""Fixtures load the starter model and its training pairs."""

import pytest
import torch
from sentence_transformers import SentenceTransformer

from encoder import starter
from encoder.starter.training import pairs


@pytest.fixture(scope="session", autouse=True)
def torch_uses_two_threads() -> None:
    torch.set_num_threads(2)


@pytest.fixture(scope="session")
def model() -> SentenceTransformer:
    return starter.load()


@pytest.fixture(scope="session")
def every_pair() -> list[pairs.Pair]:
    return pairs.read()
