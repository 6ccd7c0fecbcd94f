"""The named numbers of the SQL functions. A SQL file names one as `@max_results@`.

Each stands once, with its unit and how it was chosen. Python imports the limits that it checks as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from db.locks import Lock

MAX_RESULTS = 1000
MAX_IMAGE_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Constant:
    name: str
    value: float
    unit: str
    reason: str


LIMITS = (
    Constant("max_results", MAX_RESULTS, "products", "largest k, and the window that pages are cut from"),
    Constant("max_image_bytes", MAX_IMAGE_BYTES, "bytes", "largest image of a query: 10 MB"),
)


def values() -> Iterator[tuple[str, str]]:
    """(name, SQL literal) of every constant and of every advisory lock."""
    for constant in LIMITS:
        yield constant.name, repr(constant.value)
    for lock in Lock:
        yield f"lock_{lock.name.lower()}", str(lock.value)
