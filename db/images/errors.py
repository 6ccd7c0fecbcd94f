"""Defines the errors of images.

EncoderError            (db/errors.py)
└── ImageRejected       this image can never be opened                 -> quarantined immediately
    └── ImageUnreadable the file cannot be read now, but maybe later   -> tried again, alone
"""

from db.errors import EncoderError


class ImageRejected(EncoderError):
    final = True


class ImageUnreadable(ImageRejected):
    final = False
