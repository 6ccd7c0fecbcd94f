"""Pictures behind addresses: one guarded opener from an address to bytes.

Whoever writes a product decides what an encoder asks for, so an address is a request by a stranger. It may lead to
public hosts and to object stores the operator listed, and nowhere else.
"""

from db.fetching.fetcher import Fetcher

__all__ = ["Fetcher"]
