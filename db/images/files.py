"""Pictures as files below an image root, read so that nothing above it can be reached."""

import os
import stat

MAX_BYTES = 50_000_000

_KINDS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif"}


class NotServed(Exception):
    """Not there, not below its root, or not a picture that browsers show."""


def read_picture(folder: str, uri: str) -> bytes:
    """A picture's bytes. A link may lead elsewhere below the root. The path it comes to is then walked folder by folder
    without following links, so that none can be put in meanwhile. Raises NotServed."""
    try:
        root = os.path.realpath(folder)
        real = os.path.realpath(f"{root}/{uri}")
    except ValueError as error:  # a NUL
        raise NotServed(uri) from error
    if not real.startswith(root.rstrip("/") + "/"):
        raise NotServed(uri)
    *folders, name = os.path.relpath(real, root).split("/")
    opened: list[int] = []
    try:
        opened.append(os.open(root, os.O_RDONLY | os.O_DIRECTORY))
        for part in folders:
            opened.append(os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened[-1]))
        opened.append(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened[-1]))
        status = os.fstat(opened[-1])
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise NotServed(uri)
        with os.fdopen(opened.pop(), "rb") as file:
            return file.read(MAX_BYTES)
    except (OSError, ValueError) as error:
        raise NotServed(uri) from error
    finally:
        for number in opened:
            os.close(number)


def kind_of(picture: bytes) -> str:
    """Its media type, by its first bytes: what a file is called proves nothing. Raises NotServed."""
    for beginning, kind in _KINDS.items():
        if picture.startswith(beginning):
            return kind
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "image/webp"
    raise NotServed(picture[:12])
