"""Defines a cache of byte strings with a bounded total size. The least recently used entry is removed first."""

from collections import OrderedDict
from typing import Generic, TypeVar

Name = TypeVar("Name")


class LruCache(Generic[Name]):
    def __init__(self, most_bytes: int) -> None:
        self._of: OrderedDict[Name, bytes] = OrderedDict()
        self._left = most_bytes

    def get(self, name: Name) -> bytes | None:
        if name in self._of:
            self._of.move_to_end(name)
        return self._of.get(name)

    def put(self, name: Name, content: bytes) -> None:
        self._left += len(self._of.pop(name, b"")) - len(content)
        self._of[name] = content
        while self._left < 0:
            self._left += len(self._of.popitem(last=False)[1])
