"""Reads JSON Lines, with an object on each line. The names in the objects are treated like the header of a table."""

from contextlib import closing
from itertools import islice
from pathlib import Path

from loader.errors import NotACatalog, NothingToLoad
from loader.rejects import Reject
from loader.sources.api.product_objects import FIRST_OBJECTS
from loader.sources.object_source import ObjectSource
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.columns import FieldColumns
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.json_text import values


def recognises(head: FileHead) -> bool:
    return head.is_json_lines


class JsonLinesSource(ObjectSource):
    def __init__(
        self, file: CatalogFile, *, mapping: FieldColumns, image_root: Path | None, name: str = "jsonl"
    ) -> None:
        _check_first_lines(file)
        super().__init__(
            file,
            lambda: values(file),
            name=name,
            not_an_object="the line is JSON, but not an object {...}",
            mapping=mapping,
            image_root=image_root,
        )


def _check_first_lines(file: CatalogFile) -> None:
    """Raises NothingToLoad for a file without lines, and NotACatalog if none of the first lines is an object with
    members."""
    reason = None
    with closing(values(file)) as first_values:
        for found in islice(first_values, FIRST_OBJECTS):
            if isinstance(found, Reject):
                reason = reason or f"line {found.line}: {found.reason}"
            elif isinstance(found[1], dict) and found[1]:
                return
            else:
                reason = reason or f"line {found[0]} is JSON, but not an object with members"
    if reason is None:
        raise NothingToLoad(f"{file.path.name} is empty", hint="It needs a JSON object on a line for each product.")
    raise NotACatalog(
        f"{file.path.name} is not JSON Lines; {reason}", hint="Write each product as one object {...} on a line."
    )
