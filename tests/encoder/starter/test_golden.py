"""On this machine, the starter model computes the stored vectors of four texts and three drawings. The threshold of
this comparison is high enough to notice a greyer drawing."""

import numpy as np
from PIL import Image
from sentence_transformers import SentenceTransformer

from encoder.starter import golden


def test_the_model_computes_the_stored_vectors_on_this_machine(model: SentenceTransformer) -> None:
    assert golden.agreement(model) >= golden.AGREES


def test_the_similarity_of_an_image_to_a_greyer_copy_is_below_the_threshold(model: SentenceTransformer) -> None:
    ball = golden.images()[0]
    duller = Image.blend(ball, Image.new("RGB", ball.size, "grey"), 0.2)
    first, second = model.encode([ball, duller])
    assert float(np.dot(first, second)) < golden.AGREES


def test_the_text_wall_clock_is_nearer_to_the_clock_than_to_the_ball(model: SentenceTransformer) -> None:
    ball, clock, _ = model.encode(golden.images())
    text = model.encode("wall clock")
    assert text @ clock > text @ ball
