"""**starter**: the encoder that needs no model hub, only packages from a registry.

It finds what kind of thing a picture shows well, its colour moderately, materials and brands poorly; see
MODEL_CARD.md. For anything more, name a real checkpoint instead.

Importing this package is cheap; ``load`` imports torch.
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
    """An ordinary sentence-transformers model whose ``encode`` takes texts or PIL pictures, a call for each.

    Vectors are unit norm. Opens no network connection. ``head`` may be a head exported by the training
    command, to measure on concepts that it has not seen.

    Raises MissingPackage or UnexpectedWeights (both StarterError).
    """
    try:
        from encoder.starter.assembly import assemble
    except ModuleNotFoundError as error:
        raise MissingPackage(error.name or "torch") from error
    return assemble(device, head)
