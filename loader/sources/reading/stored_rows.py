"""Keeps the rows of a table in a temporary SQLite database, so that rows that belong together can be read together."""

import json
import sqlite3
from collections.abc import Iterator
from types import TracebackType

from loader.sources.reading.platform_table import Cells


class StoredRows:
    """A context manager. Its memory stays bounded for tables of any length."""

    def __enter__(self) -> "StoredRows":
        self._store = sqlite3.connect("", isolation_level=None)
        self._store.execute("pragma journal_mode = off")
        self._store.execute("begin")
        self._store.execute("create table row (line integer primary key, cells text)")
        self._store.execute(
            "create table name (kind text, name text, line integer, primary key (kind, name, line)) without rowid"
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._store.close()

    def add(self, line: int, cells: Cells, **names: str) -> None:
        """Keep a row. `rows_of` finds the row by each of `names` that is not empty."""
        self._store.execute("insert into row values (?, ?)", (line, json.dumps(cells)))
        self.name(line, **names)

    def name(self, line: int, **names: str) -> None:
        """Give a row further names."""
        for kind, name in names.items():
            if name:
                self._store.execute("insert or ignore into name values (?, ?, ?)", (kind, _stored(name), line))

    def __iter__(self) -> Iterator[tuple[int, Cells]]:
        """Yields the line number and cells of each row, in the order of the file."""
        for line, cells in self._store.execute("select line, cells from row order by line"):
            yield line, Cells(json.loads(cells))

    def names(self, kind: str) -> Iterator[str]:
        """Yields all names of a kind in the order of their first rows."""
        for (name,) in self._store.execute(
            "select name from name where kind = ? group by name order by min(line)", (kind,)
        ):
            yield name

    def rows_of(self, kind: str, name: str) -> Iterator[tuple[int, Cells]]:
        """Yields the line number and cells of each row that has this name, in the order of the file."""
        found = self._store.execute(
            "select line, cells from name join row using (line) where kind = ? and name = ? order by line",
            (kind, _stored(name)),
        )
        for line, cells in found:
            yield line, Cells(json.loads(cells))

    def first(self, kind: str, name: str) -> tuple[int, Cells] | None:
        return next(self.rows_of(kind, name), None)

    def count(self, kind: str, name: str) -> int:
        found: int = self._store.execute(
            "select count(*) from name where kind = ? and name = ?", (kind, _stored(name))
        ).fetchone()[0]
        return found


def _stored(name: str) -> str:
    """Returns the name without surrogates, which SQLite does not store and which JSON can have."""
    return name.encode("utf-8", "backslashreplace").decode()
