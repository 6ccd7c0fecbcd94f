"""What can go wrong between a file and its vector.

EncoderError
├── ModelUnavailable    no such model, or its folder is incomplete
├── ModelMismatch       the weights or their dimension are not those the model was added with
└── ImageRejected       these bytes will never be a picture here          -> quarantined at once
    └── ImageUnreadable the file could not be read, which may pass        -> tried again, alone
"""

from db.errors import EncoderError


class ModelUnavailable(EncoderError):
    pass


class ModelMismatch(EncoderError):
    pass


class ImageRejected(EncoderError):
    final = True


class ImageUnreadable(ImageRejected):
    final = False


__all__ = ["EncoderError", "ImageRejected", "ImageUnreadable", "ModelMismatch", "ModelUnavailable"]
