import numpy as np
from PIL import Image
from sentence_transformers import SentenceTransformer

from encoder.starter import golden


def test_this_machine_computes_the_stored_vectors(model: SentenceTransformer) -> None:
    assert golden.agreement(model) >= golden.AGREES


def test_another_image_would_be_noticed(model: SentenceTransformer) -> None:
    ball = golden.images()[0]
    duller = Image.blend(ball, Image.new("RGB", ball.size, "grey"), 0.2)
    first, second = model.encode([ball, duller])
    assert float(np.dot(first, second)) < golden.AGREES


def test_the_ball_is_nearer_to_its_words_than_the_clock_is(model: SentenceTransformer) -> None:
    ball, clock, _ = model.encode(golden.images())
    text = model.encode("wall clock")
    assert text @ clock > text @ ball
