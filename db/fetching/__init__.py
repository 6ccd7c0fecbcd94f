"""Images behind URLs: one guarded way from a URL to bytes.

The author of a product decides which URLs an encoder requests, so a URL is input from a stranger. It may lead to public
hosts and to object stores that the operator has listed, and nowhere else.
"""

from db.fetching.fetcher import Fetcher

__all__ = ["Fetcher"]
