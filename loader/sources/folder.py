"""Reads folders of images. Each image becomes a product. The SKU is the path of the image, and the title comes from the
name of the file. If the file is in a subfolder, the product type comes from the name of this subfolder."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from db.catalog.product import RawProduct
from db.images.formats import SUFFIXES
from loader.errors import SourceUnreadable
from loader.rejects import Reject
from loader.sources.reading.catalog_file import unreadable


class FolderSource:
    """Yields a row for each image in the folder and its subfolders. The files and subfolders of a folder are read in
    the order of their names. Yields a Reject for each subfolder that cannot be read. Skips hidden files, hidden and
    linked folders, and files that are not images."""

    name = "folder"
    size = None  # unknown, because all folders would have to be read a second time to count the images

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
    """Yields the path of each image, and the error for each folder that cannot be read. Memory holds only the names in
    this folder and in its parents."""
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
