"""Loads a catalog file into a database in one call."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from db.engine import Database
from loader.chunks import Progress
from loader.ingest import LoadOptions, ingest
from loader.sources import open_source
from loader.summary import LoadSummary


def load_catalog(
    database: Database,
    path: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    image_root: Path | None = None,
    on_progress: Progress = lambda done, total: None,
    **options: Any,
) -> LoadSummary:
    """`options` are the fields of `LoadOptions`."""
    source = open_source(path, mapping=mapping, image_root=image_root)
    return ingest(database, source, LoadOptions(**options), on_progress=on_progress)
