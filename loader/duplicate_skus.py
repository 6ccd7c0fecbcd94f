"""Remembers the line on which each SKU of a file first appears, in bounded memory."""

import sqlite3


class FirstLines:
    """Keeps the line numbers in a nameless SQLite database. SQLite moves the database to a temporary file when the
    database grows, so the database takes only a few MB of memory.

    The primary key of PostgreSQL's staging table cannot find the duplicates of a file. The staging table holds only one
    chunk at a time, and a duplicate key would make PostgreSQL refuse the whole chunk.
    """

    def __enter__(self) -> "FirstLines":
        self._lines = sqlite3.connect("", isolation_level=None)
        self._lines.execute("pragma journal_mode = off")
        self._lines.execute("begin")  # otherwise each INSERT would be a transaction of its own
        self._lines.execute("create table first (sku text primary key, line integer) without rowid")
        return self

    def earlier(self, sku: str, line: int) -> int | None:
        """Returns the line on which this SKU first appeared. If the SKU is new, keeps `line` and returns None."""
        if self._lines.execute("insert or ignore into first values (?, ?)", (sku, line)).rowcount:
            return None
        found: int = self._lines.execute("select line from first where sku = ?", (sku,)).fetchone()[0]
        return found

    def __exit__(self, *_: object) -> None:
        self._lines.close()
