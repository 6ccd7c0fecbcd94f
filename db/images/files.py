"""Reads image files below an image root so that no path leads to a file outside the root."""

import os
import stat
from pathlib import Path

from db.images.errors import ImageRejected, ImageUnreadable


def read_file(root: str, uri: str, max_bytes: int) -> bytes:
    """Return the bytes of an image file below `root`.

    A symbolic link may lead to another path below the root. The resolved path is then opened folder by folder without
    following links, so that a link created in the meantime cannot lead out of the root. Raises ImageRejected if the
    path is not valid or leaves the root, or if the file is too large or not a plain file. Raises ImageUnreadable if the
    file cannot be read now.
    """
    try:
        top = os.path.realpath(root)
        resolved = os.path.realpath(Path(top) / uri)
    except ValueError as error:  # a NUL in the path
        raise ImageRejected(f"{uri!r}: not a path") from error
    if not (resolved == top or resolved.startswith(top.rstrip("/") + "/")):
        raise ImageRejected(f"{uri}: the path leaves the image root")
    *folders, name = os.path.relpath(resolved, top).split("/")
    handles: list[int] = []
    try:
        handles.append(os.open(top, os.O_RDONLY | os.O_DIRECTORY))
        for folder in folders:
            handles.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handles[-1]))
        # O_NONBLOCK: opening a named pipe must not wait for its writer.
        handles.append(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handles[-1]))
        status = os.fstat(handles[-1])
        if not stat.S_ISREG(status.st_mode):
            raise ImageRejected(f"{uri}: not a plain file")
        if status.st_size > max_bytes:
            raise ImageRejected(f"{uri}: {status.st_size} bytes; at most {max_bytes} are allowed")
        with os.fdopen(handles.pop(), "rb") as file:
            return file.read(max_bytes)
    except OSError as error:
        raise ImageUnreadable(f"{uri}: {error.strerror or type(error).__name__}") from error
    finally:
        for handle in handles:
            os.close(handle)
