"""Replaces the decoder. A file that begins with CRASHES ends the decoder's process by SIGSEGV. A file that begins with
HANGS makes the decoder hang."""

import os
import signal
import time
from pathlib import Path

from db.images import decode_worker
from db.images.messages import DecodedImage, DecodeError, DecodeLimits, ImageSource
from db.images.pixels import InputShape

CRASHES, HANGS = b"this crashes the decoder", b"this hangs the decoder"


def decode_all(
    sources: list[ImageSource], shape: InputShape, offset: int, limits: DecodeLimits
) -> list[DecodedImage | DecodeError]:
    for source in sources:
        start = (Path(source.folder) / source.uri).read_bytes()[:40] if source.data is None else source.data[:40]
        if start.startswith(CRASHES):
            os.kill(os.getpid(), signal.SIGSEGV)
        if start.startswith(HANGS):
            time.sleep(600)
    return decode_worker.decode_all(sources, shape, offset, limits)
