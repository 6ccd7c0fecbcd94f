"""Defines the errors of models. db/images/errors.py has the errors of images.

EncoderError            (db/errors.py)
├── ModelUnavailable    the model does not exist, or its folder is incomplete
└── ModelMismatch       the weights or their dimension differ from those the model was added with
"""

from db.errors import EncoderError


class ModelUnavailable(EncoderError):
    pass


class ModelMismatch(EncoderError):
    pass


__all__ = ["EncoderError", "ModelMismatch", "ModelUnavailable"]
