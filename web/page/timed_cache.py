"""Keeps up to `size` values, each for some seconds. A full cache forgets all of its values before it keeps another."""

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class TimedCache(Generic[Value]):
    def __init__(self, seconds: float, size: int = 100) -> None:
        self._kept: dict[Hashable, tuple[float, Value]] = {}
        self._seconds, self._size = seconds, size

    def get(self, key: Hashable, read: Callable[[], Value]) -> Value:
        """Returns the kept value of the key, or else reads it."""
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() < kept[0]:
            return kept[1]
        value = read()
        if len(self._kept) >= self._size:
            self._kept.clear()
        self._kept[key] = time.monotonic() + self._seconds, value
        return value
