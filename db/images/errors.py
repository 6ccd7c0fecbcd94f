"""What can be wrong with an image.

EncoderError            (db/errors.py)
└── ImageRejected       these bytes will never be an image here            -> quarantined at once
    └── ImageUnreadable the file could not be read, which may pass         -> tried again, alone
"""

from db.errors import EncoderError


class ImageRejected(EncoderError):
    final = True


class ImageUnreadable(ImageRejected):
    final = False
