"""Defines the errors of images.

EncoderError            (db/errors.py)
└── ImageRejected       this image can never be opened                 -> quarantined immediately
    ├── AddressForbidden  the host has an address that is not allowed  -> quarantined immediately
    └── ImageUnreadable the file cannot be read now, but maybe later   -> tried up to three times
        └── FetchFailed the image's host does not answer, or is busy   -> tried again for about a day
"""

from db.errors import EncoderError


class ImageRejected(EncoderError):
    final = True


class AddressForbidden(ImageRejected):
    """A host leads to an address that may not be requested."""


class ImageUnreadable(ImageRejected):
    final = False


class FetchFailed(ImageUnreadable):
    """`answered` tells whether the host sent an answer.

    `seconds` is the wait that the host asks for, or 0 if the host asks for no wait.
    """

    def __init__(self, message: str, *, answered: bool = False, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.answered, self.seconds = answered, seconds
