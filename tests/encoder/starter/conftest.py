"""Fixtures load the starter model and its training pairs."""

import pytest
from sentence_transformers import SentenceTransformer

from encoder import starter
from encoder.starter.training import pairs


@pytest.fixture(scope="session")
def model() -> SentenceTransformer:
    return starter.load()


@pytest.fixture(scope="session")
def every_pair() -> list[pairs.Pair]:
    return pairs.read()
