"""Combines the objects that belong together, such as a product and its variants, in bounded memory."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from db.errors import LoaderError
from loader.rejects import Reject
from loader.sources.api.platform import ApiPlatform, Record

# The limit of nesting: if an object is inside more than this many objects, no object is put into it.
DEEPEST = 8


class LinkedObjects:
    """Keeps the objects of a file in a temporary SQLite database. Each iteration yields the combined objects, whose
    members have the usual names (USUAL_NAMES in reading/columns.py).

    `read` yields the line and value of each object, and a Reject for each object that cannot be read. If reading fails,
    the iteration first yields the objects that were read, and then raises the error.
    """

    def __init__(self, read: Callable[[], Iterator[tuple[int, Any] | Reject]], platform: ApiPlatform) -> None:
        self._read = read
        self._platform = platform
        self._error: LoaderError | None = None
        self._store: sqlite3.Connection | None = None

    def __iter__(self) -> Iterator[tuple[int, Any] | Reject]:
        """Yields the line and value of each object that belongs to no other object, and each Reject of `read`."""
        store = self._filled()
        for number, line, value in store.execute("select number, line, value from object order by number"):
            if value is None:
                yield Reject(
                    line, *store.execute("select sku, reason from reject where number = ?", (number,)).fetchone()
                )
            elif not self._belongs(number):
                yield line, self._whole(number, json.loads(value))
        if self._error is not None:
            raise self._error

    def _filled(self) -> sqlite3.Connection:
        if self._store is not None:
            return self._store
        store = self._store = sqlite3.connect("", isolation_level=None)
        store.execute("pragma journal_mode = off")
        store.execute("begin")
        store.execute("create table object (number integer primary key, line integer, value text, parent text)")
        store.execute("create table reject (number integer primary key, sku text, reason text)")
        store.execute("create table identifier (name text primary key, number integer) without rowid")
        store.execute("create table child (name text primary key, parent integer, position integer) without rowid")
        try:
            for number, found in enumerate(self._read()):
                self._keep(store, number, found)
        except LoaderError as error:
            self._error = error
        store.execute("create index by_parent on object (parent, number) where parent is not null")
        store.execute("create index of_children on child (parent, position)")
        return store

    def _keep(self, store: sqlite3.Connection, number: int, found: tuple[int, Any] | Reject) -> None:
        if isinstance(found, Reject):
            store.execute("insert into object values (?, ?, null, null)", (number, found.line))
            store.execute("insert into reject values (?, ?, ?)", (number, found.sku, found.reason))
            return
        line, value = found
        own, parent, children = "", "", []
        if isinstance(value, dict):
            own, parent = self._platform.identifier(value), self._platform.parent(value)
            children = self._platform.children(value)
        written = parent if parent and parent != own else None
        store.execute("insert into object values (?, ?, ?, ?)", (number, line, json.dumps(value), written))
        if own:
            store.execute("insert or ignore into identifier values (?, ?)", (own, number))
        for position, child in enumerate(children):
            store.execute("insert or ignore into child values (?, ?, ?)", (child, number, position))

    def _belongs(self, number: int) -> bool:
        """Returns whether `_whole` puts the object into another object. Returns False for an object in a circle of
        parents, or below more than DEEPEST + 1 parents. Such an object is yielded by itself, because otherwise it would
        not be yielded at all."""
        above = number
        for depth in range(DEEPEST + 2):
            parent = self._parent(above)
            if parent is None:
                return depth > 0
            above = parent
        return False

    def _parent(self, number: int) -> int | None:
        assert self._store is not None
        found = self._store.execute(
            "select i.number from object o join identifier i on i.name = o.parent where o.number = ?1 "
            "union all select c.parent from child c join identifier i on i.name = c.name "
            "where i.number = ?1 and c.parent <> ?1",
            (number,),
        ).fetchone()
        return None if found is None else int(found[0])

    def _whole(self, number: int, value: Any, above: tuple[int, ...] = ()) -> Any:
        """Returns the object with the objects that belong to it. `above` has the numbers of the objects that contain
        this object. If `above` is empty, the result is translated."""
        assert self._store is not None
        if not isinstance(value, dict) or len(above) > DEEPEST:
            return value
        path = (*above, number)
        members: list[Record] = [
            self._whole(child, json.loads(written), path)
            for child, written in self._store.execute(
                "select o.number, o.value from identifier i join object o on o.parent = i.name where i.number = ?1 "
                "union all select o.number, o.value from child c join identifier i on i.name = c.name "
                "join object o on o.number = i.number where c.parent = ?1 and o.number <> ?1",
                (number,),
            ).fetchall()
            if child not in path
        ]
        if members:
            return self._platform.nested(value, members)
        return value if above else self._platform.translated(value)
