"""Loads a catalog file into a database in one call, reads the stored products, and reduces the sample catalog."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import text

from db.catalog.product import COLUMNS, RawProduct
from db.engine import Database
from db.roles import Role
from loader.chunks import Progress
from loader.ingest import LoadOptions, ingest
from loader.rejects import Reject
from loader.sample import SampleSource
from loader.sources import open_source
from loader.summary import LoadSummary

_SEARCHED = re.compile("(?i)chair|cup|mug|glass|drink|milk|tea|shoe|boot|guitar|drum")  # titles that tests search for
_whole_sample = SampleSource.rows


def load_catalog(
    database: Database,
    path: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    image_root: Path | None = None,
    on_progress: Progress = lambda done, total: None,
    on_failure: Callable[[LoadSummary], None] = lambda summary: None,
    **options: Any,
) -> LoadSummary:
    """Load a catalog file. `options` are fields of `LoadOptions`. Without `image_root`, image paths start at the folder
    of the catalog file. A stored path keeps its old folder if its image is not in the new folder, as with `windowshop
    load`."""
    options.setdefault("keeps_roots", image_root is None)
    source = open_source(path, mapping=mapping, image_root=image_root)
    return ingest(database, source, LoadOptions(**options), on_progress=on_progress, on_failure=on_failure)


def stored(database: Database) -> dict[str, dict[str, Any]]:
    """Returns the stored products by SKU: the columns with a value, the attributes, and the image URIs in order."""
    with database.connect(Role.APP) as conn:
        rows = conn.execute(
            text(
                "select p.*, (select array_agg(i.uri order by i.position) from shop.product_image i "
                "where i.product_id = p.product_id) as images from shop.product p"
            )
        ).mappings()
        return {
            row["sku"]: {name: row[name] for name in (*COLUMNS, "attributes", "images") if row[name] not in (None, {})}
            for row in rows
        }


def part_of_the_sample(source: SampleSource) -> Iterator[RawProduct | Reject]:
    """Yields the musical instruments, the products that tests search for, and a fiftieth of the other products."""
    for row in _whole_sample(source):
        assert isinstance(row, RawProduct)
        kind, title, sku = (row.fields[name] for name in ("product_type", "title", "sku"))
        if kind == "Musical instruments" or _SEARCHED.search(title) or sku.endswith(("00", "50")):
            yield row


def read_a_part_of_the_sample() -> None:
    """Let this process read only `part_of_the_sample`, because encoding the whole sample takes a minute."""
    SampleSource.rows = part_of_the_sample  # type: ignore[assignment, method-assign]
