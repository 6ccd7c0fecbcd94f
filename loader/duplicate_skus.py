"""Remembers on which line each SKU of a file was first seen, for files of any length."""

import sqlite3


class FirstLines:
    """Keeps the lines in a nameless SQLite database, which moves to a temporary file as it grows. So memory stays at a
    few MB.

    The primary key of the staging table cannot find the duplicates of a file: that table holds one chunk at a time, and
    a duplicate key would reject the whole chunk.
    """

    def __enter__(self) -> "FirstLines":
        self._lines = sqlite3.connect("", isolation_level=None)
        self._lines.execute("pragma journal_mode = off")
        self._lines.execute("begin")  # otherwise each row would be a transaction
        self._lines.execute("create table first (sku text primary key, line integer) without rowid")
        return self

    def earlier(self, sku: str, line: int) -> int | None:
        """Returns the line on which this SKU was first seen, or None if the SKU is new."""
        if self._lines.execute("insert or ignore into first values (?, ?)", (sku, line)).rowcount:
            return None
        found: int = self._lines.execute("select line from first where sku = ?", (sku,)).fetchone()[0]
        return found

    def __exit__(self, *_: object) -> None:
        self._lines.close()
