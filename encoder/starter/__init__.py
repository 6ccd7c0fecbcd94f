"""Contains the model **starter**, which needs no model hub, only packages from a registry.

The starter recognises the kind of thing in an image well, colours moderately, and materials and brands poorly; see
MODEL_CARD.md. Use a CLIP or SigLIP checkpoint where better recognition is needed.

Importing this package is fast, because only ``load`` imports torch.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from encoder.starter.errors import MissingPackage, StarterError, UnexpectedWeights
from encoder.starter.weights import HEAD_FILE, revision

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["DIMENSION", "NAME", "MissingPackage", "StarterError", "UnexpectedWeights", "load", "revision"]

NAME = "starter"
DIMENSION = 384


def load(device: str = "cpu", head: Path = HEAD_FILE) -> "SentenceTransformer":
    """Returns an ordinary sentence-transformers model. ``encode`` takes texts or PIL images, not both in one call.

    Vectors have unit norm. Loading opens no network connection. ``head`` may be the file of a head that was trained
    without some held-out concepts; the model can then be measured on these concepts.

    Raises MissingPackage or UnexpectedWeights (both StarterError).
    """
    try:
        from encoder.starter.assembly import assemble
    except ModuleNotFoundError as error:
        raise MissingPackage(error.name or "torch") from error
    return assemble(device, head)
