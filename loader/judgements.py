"""Loads a table of judgements into shop.judgement. A judgement is a grade, 0 to 3, of one product for one query.

A row has a query, and the SKU of a product in the column `sku`. The query is a text (column `query`), an image (column
`picture` or `picture_sku`), or both. The columns `grade`, `suite` and `catalog` are optional.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from db import schema
from db.catalog.image_paths import ImageRoot
from db.catalog.names import normalised
from db.engine import Database
from db.errors import SettingsError
from db.evaluation import judgements
from db.evaluation.judgements import Judgement
from db.roles import Role
from db.search.image import read_image
from loader.errors import MissingColumns, NothingToLoad, RejectsUnwritable, RowsRejected
from loader.rejects import Reject, RejectsFile
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.table import Table

COLUMNS = ("query", "picture", "picture_sku", "sku", "grade", "suite", "catalog")
GRADES = {"0": 0, "1": 1, "2": 2, "3": 3}


@dataclass
class Judged:
    """The row counts of a load of judgements, where read = added + changed + unchanged + rejected."""

    path: Path
    read: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    first_reject: Reject | None = None
    rejects_file: Path | None = None
    unknown: list[str] = field(default_factory=list)  # the SKUs in judgements that are not in the catalog

    def raise_if_rejected(self) -> None:
        if self.first_reject is not None:
            raise RowsRejected(
                f"{self.rejected:,} of {self.read:,} rows rejected, listed in {self.rejects_file}; "
                "the others are loaded",
                hint=f"The first rejected row: line {self.first_reject.line}: {self.first_reject.reason}. "
                "Correct the rows and load the file again.",
            )


def load_judgements(
    database: Database,
    path: Path,
    *,
    suite: str = "default",
    catalog: str = "main",
    rejects: Path | None = None,
    on_progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Judged:
    """Load all good rows of the table in one transaction. If a product has a grade for the same query of the same
    suite, the new grade replaces it.

    `suite` and `catalog` are the defaults for rows without a suite or catalog. Images are paths below the table's
    folder. Raises LoaderError or DatabaseError. After such an error, the table shop.judgement is unchanged. There is
    one exception: if only the list of rejected rows could not be completed, the good rows are stored.
    """
    table = Table(CatalogFile(path))
    columns = _columns(table)
    rejects = rejects or Path(f"{path.absolute().stem}.rejects.csv")
    if rejects.resolve() == path.resolve():
        raise RejectsUnwritable(f"{rejects} is the table itself", hint="Name another file with --rejects.")
    done = Judged(path)
    judged: set[tuple[str, str]] = set()
    with database.connect(Role.APP) as conn, RejectsFile(rejects) as rejected:
        schema.check(conn)
        conn.rollback()

        def good() -> Iterator[Judgement]:
            for one in _checked(table, columns, suite, catalog):
                done.read += 1
                on_progress(table.bytes_read, table.size)
                if isinstance(one, Reject):
                    rejected.add(one)
                else:
                    judged.add((one.catalog, one.sku))
                    yield one

        with conn.begin():
            counts = judgements.add(conn, good())
            if not done.read:
                raise NothingToLoad(f"{path} holds no rows", hint="Nothing was changed.")
            done.unknown = judgements.unknown(conn, judged)
    done.added, done.changed, done.unchanged = counts.added, counts.changed, counts.unchanged
    done.rejected, done.first_reject = rejected.count, rejected.first
    done.rejects_file = rejects if rejected.count else None
    return done


def _columns(table: Table) -> dict[str, int]:
    found = {normalised(name): index for index, name in enumerate(table.header)}
    columns = {name: found[name] for name in COLUMNS if name in found}
    if "sku" not in columns or not {"query", "picture", "picture_sku"} & set(columns):
        raise MissingColumns(
            f"{table.path.name} needs a column sku, and one of query, picture and picture_sku; its columns: "
            f"{', '.join(table.header)}",
            hint="The columns grade (0 to 3), suite and catalog are optional.",
        )
    return columns


def _checked(table: Table, columns: dict[str, int], suite: str, catalog: str) -> Iterator[Judgement | Reject]:
    root = ImageRoot(table.path.absolute().parent)
    first_lines: dict[bytes, int] = {}
    for record in table.records():
        if isinstance(record, Reject):
            yield record
            continue
        cells = {name: record.cells[index].strip() for name, index in columns.items()}
        try:
            one = _judgement(cells, suite, catalog, root, table.path.absolute().parent)
            picture = None if one.picture is None else hashlib.sha256(one.picture).digest()
            key = repr((one.suite, one.catalog, one.query, picture, one.picture_sku, one.sku))
            earlier = first_lines.setdefault(hashlib.sha256(key.encode()).digest(), record.line)
            if earlier != record.line:
                raise ValueError(f"the same query and product are on line {earlier} already")
            yield one
        except ValueError as error:
            yield Reject(record.line, cells["sku"], str(error))


def _judgement(cells: dict[str, str], suite: str, catalog: str, root: ImageRoot, folder: Path) -> Judgement:
    """Returns the judgement in a row. Raises ValueError with the reason if the row is invalid."""
    query, picture, picture_sku = (cells.get(name) or None for name in ("query", "picture", "picture_sku"))
    suite, catalog = cells.get("suite") or suite, cells.get("catalog") or catalog
    grade = cells.get("grade") or "1"
    if any("\x00" in cell for cell in cells.values()):
        raise ValueError("the row has a NUL character")
    if not 1 <= len(cells["sku"]) <= 200 or len(picture_sku or "") > 200:
        raise ValueError("there is no SKU" if not cells["sku"] else "a SKU has at most 200 characters")
    if query is None and picture is None and picture_sku is None:
        raise ValueError("there is no query, picture or picture_sku")
    if picture is not None and picture_sku is not None:
        raise ValueError("a query has one picture: give picture or picture_sku")
    if query is not None and len(query) > 10_000:
        raise ValueError("the query is over 10000 characters")
    if grade not in GRADES:
        raise ValueError(f'grade "{grade[:40]}" is not 0, 1, 2 or 3')
    if len(suite) > 100:
        raise ValueError("a suite's name has at most 100 characters")
    if re.fullmatch("[a-z0-9][a-z0-9_.-]{0,62}", catalog) is None:
        raise ValueError(f'"{catalog[:80]}" cannot be the name of a catalog')
    return Judgement(suite, catalog, query, _read(picture, root, folder), picture_sku, cells["sku"], GRADES[grade])


def _read(picture: str | None, root: ImageRoot, folder: Path) -> bytes | None:
    if picture is None:
        return None
    uri, _ = root.uri(picture)
    if "://" in uri:
        raise ValueError(f'image "{picture[:80]}" is an address; give a file')
    try:
        return read_image(folder / uri)
    except SettingsError as error:
        raise ValueError(f'image "{picture[:80]}" {error.message.removeprefix(str(folder / uri)).strip()}') from error
