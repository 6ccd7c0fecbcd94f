"""Reads Parquet files, at most 512 rows at a time.

The names of the columns are assigned to product fields in the same way as the header of a CSV file.
"""

import datetime
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from db.catalog.product import RawProduct
from db.errors import SettingsError
from loader.errors import NotACatalog, NothingToLoad, SourceDamaged
from loader.rejects import Reject
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.columns import FieldColumns
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.keyed import KeyedRows

if TYPE_CHECKING:
    from pyarrow import Array, RecordBatch
    from pyarrow.parquet import ParquetFile

BATCH_ROWS = 512  # at most this many rows are read at a time
BATCH_BYTES = 16 << 20  # a batch has about this many bytes at most; the mean size of a row gives its rows
PAGE_BUFFER = 1 << 20  # this many bytes are read from the disk at a time


def recognises(head: FileHead) -> bool:
    return head.bytes.startswith(b"PAR1")


class ParquetSource:
    """The `line` of a row is the number of the row, counted from 1. A cell with NaN, which pandas writes for a missing
    number, counts as empty."""

    name = "parquet"

    def __init__(self, file: CatalogFile, *, mapping: FieldColumns, image_root: Path | None) -> None:
        self.path = file.path
        self.image_root = image_root or file.path.absolute().parent
        self.size = file.size
        self.done = 0
        parquet = _open(file)
        self._count = parquet.metadata.num_rows
        row_bytes = sum(parquet.metadata.row_group(n).total_byte_size for n in range(parquet.num_row_groups))
        self._batch_rows = max(1, min(BATCH_ROWS, BATCH_BYTES * self._count // max(row_bytes, 1)))
        if not self._count:
            raise NothingToLoad(f"{file.path.name} holds no rows", hint="Nothing was changed.")
        self._parquet = parquet
        self._rows = KeyedRows(file.path, parquet.schema_arrow.names, mapping, self._valid_records(), is_table=True)

    @property
    def columns(self) -> Mapping[str, str]:
        return self._rows.columns

    def rows(self) -> Iterator[RawProduct | Reject]:
        line = 0
        batches = self._parquet.iter_batches(batch_size=self._batch_rows, use_threads=False)
        while (batch := self._next(batches, line)) is not None:
            for record, faults in _records(batch):
                line += 1
                row = self._rows.row(line, record)
                if faults and isinstance(row, RawProduct):
                    if "sku" in row.fields and "title" in row.fields:
                        row.faults = (*row.faults, *faults)
                    else:
                        row = Reject(line, row.fields.get("sku", ""), "; ".join(reason for _, reason in faults))
                yield row
            self.done = self.size * line // self._count

    def _valid_records(self) -> Iterator[dict[str, Any]]:
        """Yields the rows without their faulty values. Stops without an error where the file cannot be read, because
        the load itself reports that error."""
        batches = self._parquet.iter_batches(batch_size=self._batch_rows, use_threads=False)
        try:
            while (batch := self._next(batches, 0)) is not None:
                for record, _ in _records(batch):
                    yield record
        except SourceDamaged:
            return

    def _next(self, batches: Iterator["RecordBatch"], line: int) -> "RecordBatch | None":
        try:
            return next(batches, None)
        except (OSError, ValueError, NotImplementedError) as error:  # the base classes of pyarrow's errors
            raise SourceDamaged(
                f"{self.path.name} cannot be read after row {line:,}: {_first_line(error)}",
                hint="Write or fetch the file again.",
            ) from error


def _open(file: CatalogFile) -> "ParquetFile":
    try:
        from pyarrow.parquet import ParquetFile
    except ModuleNotFoundError:
        raise SettingsError(
            "reading Parquet needs the package pyarrow", hint="pip install 'windowshop[parquet]'"
        ) from None
    if file.is_gzip:
        raise NotACatalog(f"{file.path.name} is Parquet compressed with gzip", hint="Decompress it with gunzip.")
    try:
        # With these arguments, pyarrow reads pages when they are needed, and not whole row groups in advance.
        return ParquetFile(file.path, pre_buffer=False, buffer_size=PAGE_BUFFER)
    except (OSError, ValueError, NotImplementedError) as error:
        raise NotACatalog(
            f"{file.path.name} is not a whole Parquet file: {_first_line(error)}", hint="Write or fetch it again."
        ) from error


def _records(batch: "RecordBatch") -> Iterator[tuple[dict[str, Any], list[tuple[str, str]]]]:
    """Yields, for each row, a record of the values that can be stored, and the faults of all other values."""
    for cells in zip(*map(_values, batch.columns), strict=True):
        record: dict[str, Any] = {}
        faults: list[tuple[str, str]] = []
        for name, cell in zip(batch.schema.names, cells, strict=True):
            try:
                record[name] = cell if isinstance(cell, Decimal) else _plain(cell)
            except ValueError as error:
                faults.append((name, f"{name} {error}"))
        yield record, faults


def _values(column: "Array") -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:  # some cell is not UTF-8, so the cells are converted one by one
        return list(map(_value, column))
    return values


def _value(cell: Any) -> Any:
    try:
        return cell.as_py()
    except UnicodeDecodeError as error:
        return error


def _plain(value: Any) -> Any:
    """Returns the value as a JSON type. Raises ValueError with the reason if no JSON type can hold the value."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if math.isinf(value):
            raise ValueError("is infinite, which cannot be stored")
        return None if math.isnan(value) else value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): _plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if isinstance(value, UnicodeDecodeError):
        raise ValueError("is not UTF-8")  # noqa: TRY004 - the fault is in the file, not in our types
    kind = type(value).__name__
    raise ValueError(f"is a {kind} value, which cannot be stored; if it is an image, give its path or address instead")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
