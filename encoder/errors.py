"""Defines the errors of models. db/images/errors.py has the errors of images.

EncoderError            (db/errors.py)
├── ModelUnavailable    there is no such model, its folder is incomplete or not allowed, the model cannot be loaded or
│                       does not encode texts and images, or a needed package or device is missing
├── ExportUnusable      a model cannot be exported for ONNX Runtime, or its export is damaged or lacks a package
└── ModelMismatch       the weights or the dimension are not those with which the model was added, or a vector of the
                        model is zero or not finite
"""

from db.errors import EncoderError


class ModelUnavailable(EncoderError):
    pass


class ExportUnusable(EncoderError):
    pass


class ModelMismatch(EncoderError):
    pass


__all__ = ["EncoderError", "ExportUnusable", "ModelMismatch", "ModelUnavailable"]
