"""What can be wrong with an image.

EncoderError            (db/errors.py)
└── ImageRejected       these bytes will never be an image here        -> quarantined immediately
    └── ImageUnreadable the file cannot be read now, a later try may   -> tried again, alone
"""

from db.errors import EncoderError


class ImageRejected(EncoderError):
    final = True


class ImageUnreadable(ImageRejected):
    final = False
