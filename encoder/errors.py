"""What can be wrong with a model. What can be wrong with an image is in db/images/errors.py.

EncoderError            (db/errors.py)
├── ModelUnavailable    no such model, or its folder is incomplete
└── ModelMismatch       the weights or their dimension are not those the model was added with
"""

from db.errors import EncoderError


class ModelUnavailable(EncoderError):
    pass


class ModelMismatch(EncoderError):
    pass


__all__ = ["EncoderError", "ModelMismatch", "ModelUnavailable"]
