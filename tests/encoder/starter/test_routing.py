"""The starter model encodes texts and images into one space. It never fetches a query that looks like an address."""

import numpy as np
import pytest
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer

from encoder import starter
from encoder.starter.errors import NotAnImage

RED = Image.new("RGB", (64, 64), "red")
BLUE = Image.new("RGB", (64, 48), "blue")


def test_texts_and_images_share_a_space_of_unit_vectors(model: SentenceTransformer) -> None:
    vectors = np.vstack([model.encode(["a red shoe", "a clock"]), model.encode([RED, BLUE])])
    assert vectors.shape == (4, starter.DIMENSION)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert model.get_embedding_dimension() == starter.DIMENSION
    assert set(model.modalities) == {"text", "image"}


def test_one_call_with_texts_and_images_is_refused(model: SentenceTransformer) -> None:
    with pytest.raises(ValueError, match="Encode each modality separately"):
        model.encode(["a red shoe", RED])


def test_encode_query_and_encode_document_return_the_vectors_of_encode(model: SentenceTransformer) -> None:
    np.testing.assert_allclose(model.encode_query(["a clock"]), model.encode(["a clock"]), atol=1e-5)
    np.testing.assert_allclose(model.encode_document([RED]), model.encode([RED]), atol=1e-5)


def test_a_query_that_looks_like_an_image_address_is_not_fetched(model: SentenceTransformer) -> None:
    address = "http://127.0.0.1:9/shoe.jpg"
    with pytest.raises(NotAnImage):
        model.encode([address])
    assert model.encode([{"text": address}]).shape == (1, starter.DIMENSION)


def test_the_model_accepts_the_bytes_that_preprocess_returns(model: SentenceTransformer) -> None:
    features = model.preprocess([RED, BLUE])
    assert features["pixel_values"].dtype == torch.uint8
    assert features["pixel_values"].shape == (2, 3, 256, 256)
    assert features["pixel_values"].is_contiguous(memory_format=torch.channels_last)
    vectors = model(features)["sentence_embedding"].numpy()
    np.testing.assert_allclose(vectors, model.encode([RED, BLUE]), atol=1e-5)


def test_the_vector_of_an_image_does_not_depend_on_the_other_images_of_its_batch(model: SentenceTransformer) -> None:
    crowd = [Image.new("RGB", (32, 32), (i * 20, 90, 200 - i * 10)) for i in range(10)]
    together = model.encode(crowd, batch_size=10)
    alone = model.encode(crowd, batch_size=1)
    np.testing.assert_allclose(together, alone, atol=1e-4)
