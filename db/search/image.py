"""Reads the image file of a query."""

from pathlib import Path

from db.errors import SettingsError
from db.functions.constants import MAX_IMAGE_BYTES


def read_image(path: Path) -> bytes:
    """Return the bytes of a query image. Raises SettingsError if the file cannot be read, is empty or is over 10 MB."""
    try:
        if not path.is_file():
            raise SettingsError(f"{path} is not a file")
        if path.stat().st_size > MAX_IMAGE_BYTES:
            raise SettingsError(
                f"{path} is larger than 10 MB", hint="Scale the image down; models look at 224 to 512 pixels."
            )
        if path.stat().st_size == 0:
            raise SettingsError(f"{path} is empty")
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
