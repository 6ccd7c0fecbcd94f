"""Resolves the source that `model add` receives. Importing this module does not import torch."""

from pathlib import Path

PREFIX = "open_clip:"  # begins a source that is to be loaded by open-clip-torch


def resolved(source: str) -> str:
    """If the source names an existing folder, returns the source with the folder's absolute path. Returns any other
    source unchanged."""
    name = source.removeprefix(PREFIX)
    folder = Path(name).expanduser()
    return source.removesuffix(name) + str(folder.resolve()) if folder.is_dir() else source
