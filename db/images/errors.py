"""Defines the errors of images.

EncoderError            (db/errors.py)
└── ImageRejected       this image can never be opened                 -> quarantined immediately
    └── ImageUnreadable the file cannot be read now, but maybe later   -> tried again, up to three times
        └── FetchFailed its host does not answer now, or is busy       -> tried again for about a day
"""

from db.errors import EncoderError


class ImageRejected(EncoderError):
    final = True


class ImageUnreadable(ImageRejected):
    final = False


class FetchFailed(ImageUnreadable):
    """`answered` tells whether the host sent an answer. `seconds` is how long the host asks to wait, 0 if it does not
    ask."""

    def __init__(self, message: str, *, answered: bool = False, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.answered, self.seconds = answered, seconds
