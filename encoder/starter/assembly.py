"""Builds the model from its two routes: MiniLM for texts, EfficientNet-Lite0 and the head for images."""

from pathlib import Path

from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router

from encoder.starter import head as heads
from encoder.starter import weights
from encoder.starter.image_route import ImageRoute
from encoder.starter.tower import Tower


def assemble(device: str, head: Path) -> SentenceTransformer:
    image = ImageRoute(Tower(weights.image_file()), heads.load(head))
    router = Router(
        {"text": list(text_tower("cpu").children()), "image": [image]},
        default_route="text",
        # The modality alone selects the route. encode_query and encode_document also pass a task, which must not change
        # the route.
        route_mappings={(None, "text"): "text", (None, "image"): "image"},
    )
    return SentenceTransformer(modules=[router], device=device, local_files_only=True).eval()


def text_tower(device: str) -> SentenceTransformer:
    """Returns the unmodified all-MiniLM-L6-v2: transformer, mean pooling and normalisation."""
    return SentenceTransformer(str(weights.text_folder()), device=device, local_files_only=True)
