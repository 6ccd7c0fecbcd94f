"""Reads folders of images. Each image becomes a product. The path is the SKU, the title comes from the name of the
file, and the product type from the name of its folder."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from db.catalog.product import RawProduct
from loader.errors import SourceUnreadable
from loader.rejects import Reject
from loader.sources.reading.catalog_file import unreadable

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"))


class FolderSource:
    """Includes subfolders. Skips hidden files, linked folders and files that are no images. Rows come in path order."""

    name = "folder"
    size = None  # unknown: counting the files would take a second walk through the folders

    def __init__(self, path: Path) -> None:
        try:
            os.scandir(path).close()
        except NotADirectoryError:
            raise SourceUnreadable(f"{path} is not a folder", hint="Load the path without --format.") from None
        except OSError as error:
            raise unreadable(path, error) from error
        self.path = path
        self.image_root = path.absolute()
        self.done = 0
        self.columns: Mapping[str, str] = {}

    def rows(self) -> Iterator[RawProduct | Reject]:
        for found in _images(self.path, ""):
            self.done += 1
            if isinstance(found, OSError):
                yield Reject(self.done, "", f"cannot read the folder {found.filename}: {found.strerror}")
                continue
            folder, _, name = found.rpartition("/")
            fields = {"sku": found, "title": _words(name.rpartition(".")[0])}
            if folder:
                fields["product_type"] = _words(folder.rpartition("/")[2])
            yield RawProduct(fields, (found,), line=self.done)


def _images(folder: Path, prefix: str) -> Iterator[str | OSError]:
    """Yields the paths of the images, or the error of a folder that cannot be read. Only the names in this folder and
    in its parents are in memory."""
    try:
        with os.scandir(folder) as scan:
            entries = sorted(
                (entry.name, entry.is_dir(follow_symlinks=False)) for entry in scan if not entry.name.startswith(".")
            )
    except OSError as error:
        yield error
        return
    for name, is_folder in entries:
        if is_folder:
            yield from _images(folder / name, f"{prefix}{name}/")
        elif Path(name).suffix.lower() in SUFFIXES:
            yield prefix + name


def _words(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name)).strip() or name
