"""Rewords the messages of SQL functions for clients. A message names the arguments of shop.search, and a client of REST
or an assistant knows other names. This table is the only place where the names in messages are replaced."""

import re
from collections.abc import Callable, Mapping

# Each row has three texts: the text of an SQL function, the text that REST says instead, and the text that a tool of
# MCP says instead. If no SQL function but only REST writes a text, the first two are equal. A text is replaced only at
# the beginning or the end of a message or hint. The middle is never changed, because it can hold names and values of
# the client.
TEXTS = (
    ("after is not a cursor", "page is not a cursor", "cursor is not a cursor of an answer"),
    (
        "Pass the value of the column cursor of a row on the previous page.",
        "Send `next` of the previous page's answer as page.",
        "Pass `cursor` of the previous answer.",
    ),
    ("only k may differ.", "only top_k may differ.", "only limit may differ."),
    ("without after.", "without page.", "without cursor."),
    (
        "after_cursor is not a cursor of this order",
        "page is not a cursor of this list",
        "cursor is not one of this list",
    ),
    (
        "Pass the value of the column cursor of the previous page's last row, with the same sort.",
        "Send `next` of the previous page's answer as page, with the same sort.",
        "Pass `cursor` of the previous answer, with the same sort.",
    ),
    (
        "query, the weights of legs and rrf_k cannot be combined with a change",
        "query and weights cannot be combined with change",
        "query cannot be combined with change",
    ),
    (
        "a change needs an image or inputs",
        "change needs an image, an image_url or inputs",
        "change needs an image or a sku",
    ),
    (
        "change says how the result differs from them. Write a search by a text alone as query.",
        "To search by a text alone, write all of it into query, without change.",
        "To search by a text alone, write all of it into query, without change.",
    ),
    (
        "sort cannot be combined with a change",
        "sort cannot be combined with change",
        "sort cannot be combined with change",
    ),
    ("Write the image with encode(bytea, 'base64').", "Write the image in base64.", "Write the image in base64."),
    ("image_box needs an image", "box needs an image", "box needs an image"),
    (
        "image_box is the region of the argument image",
        "box is the region of the image",
        "box is the region of the image",
    ),
    ("image_box is not a list of 4 numbers", "box is not a list of 4 numbers", "box is not a list of 4 numbers"),
    ("image_box has no area", "box has no area", "box has no area"),
    ("image_box reaches outside the image", "box reaches outside the image", "box reaches outside the image"),
    ("every leg has weight 0", "every weight is 0", "nothing is searched"),
    (
        "Give a leg a weight above 0. The keyword leg needs a query with a text.",
        "Give a member of weights a value above 0. The member keyword has an effect only with a query.",
        "Give query, image or sku.",
    ),
    (
        "Give query (a text), image (the bytes of an image), inputs (a weighted list), or several of them.",
        "Give query, image, image_url or inputs.",
        "Give query, image or sku.",
    ),
    (
        "There is nothing to search for. Give a query, an image or inputs.",
        "There is nothing to search for. Give a query, an image or inputs.",
        "There is nothing to search for. Give a query, an image or a sku.",
    ),
    (
        "needs a query, an image or inputs.",
        "needs a query, an image or inputs.",
        "needs a query, an image or a sku.",
    ),
    (
        " In SQL, SET shop.timeout_ms allows more time.",
        "",
        "",
    ),
)


def _rewording(names: Mapping[str, str]) -> Callable[[str], str]:
    # A longer text is tried before its parts, and no replaced text is replaced again.
    texts = "|".join(re.escape(text) for text in sorted(names, key=len, reverse=True) if text)
    pattern = re.compile(rf"\A(?:{texts})(?!\w)|(?<!\w)(?:{texts})\Z")
    return lambda text: pattern.sub(lambda found: names[found[0]], text)


_for_rest = _rewording({sql: rest for sql, rest, _ in TEXTS})
_for_assistants = _rewording({rest: tool for _, rest, tool in TEXTS})


def for_rest(text: str) -> str:
    """Returns a message of SQL with the names that REST has."""
    return _for_rest(text)


def for_assistants(text: str) -> str:
    """Returns a message of REST with the names that the tools have."""
    return _for_assistants(text)
