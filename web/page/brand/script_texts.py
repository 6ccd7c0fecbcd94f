"""Gives the page's scripts their texts in the visitor's language. The scripts themselves have the English ones."""

import msgspec

from web.page.brand.languages import gettext, marked

TEXTS = (
    marked("This is not an image."),
    marked("Drop a photograph or another image file."),
    marked("The shop cannot be reached at the moment."),
    marked("Please try again in a moment."),
    marked("The image is too large."),
    marked("Choose a smaller copy of it."),
    marked("These were too many searches in a short time."),
    marked("Wait a minute, then try again."),
    marked("The shop did not answer the search."),
    marked("The shop cannot be reached."),
    marked("Are you offline?"),
    marked("Request"),
)


def as_json() -> str:
    """Returns an object with the translation of each English text."""
    return msgspec.json.encode({text: gettext(text) for text in TEXTS}).decode()
