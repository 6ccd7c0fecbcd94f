"""A folder of pictures: each one is a product, its path the SKU, its file name the title, its folder the type."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from db.catalog.product import RawProduct
from loader.errors import SourceUnreadable
from loader.rejects import Reject
from loader.sources.reading.catalog_file import unreadable

PICTURES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"))


class FolderSource:
    """Subfolders included; hidden files, other files and linked folders are passed over. Rows come in path order."""

    name = "folder"
    size = None  # counting the files would be a second walk

    def __init__(self, path: Path) -> None:
        try:
            os.scandir(path).close()
        except NotADirectoryError:
            raise SourceUnreadable(f"{path} is not a folder", hint="Load it without --format.") from None
        except OSError as error:
            raise unreadable(path, error) from error
        self.path = path
        self.image_root = path.absolute()
        self.done = 0

    def rows(self) -> Iterator[RawProduct | Reject]:
        for found in _pictures(self.path, ""):
            self.done += 1
            if isinstance(found, OSError):
                yield Reject(self.done, "", f"cannot read the folder {found.filename}: {found.strerror}")
                continue
            folder, _, name = found.rpartition("/")
            fields = {"sku": found, "title": _words(name.rpartition(".")[0])}
            if folder:
                fields["product_type"] = _words(folder.rpartition("/")[2])
            yield RawProduct(fields, (found,), line=self.done)


def _pictures(folder: Path, prefix: str) -> Iterator[str | OSError]:
    """Paths below the first folder. In memory: the names of one folder and of those it is in."""
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
            yield from _pictures(folder / name, f"{prefix}{name}/")
        elif Path(name).suffix.lower() in PICTURES:
            yield prefix + name


def _words(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name)).strip() or name
