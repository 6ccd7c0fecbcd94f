"""Resolves the source that `model add` receives. Importing this module does not import torch."""

from pathlib import Path

PREFIX = "open_clip:"  # begins a source that is to be loaded by open-clip-torch


def resolved(source: str) -> str:
    """Returns a source that names an existing folder with the absolute path of this folder, and any other unchanged."""
    name = source.removeprefix(PREFIX)
    folder = Path(name).expanduser()
    return source.removesuffix(name) + str(folder.resolve()) if folder.is_dir() else source
