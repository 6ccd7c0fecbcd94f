"""Reads and validates the rows of a source, and gathers the valid rows in chunks."""

from collections.abc import Callable, Iterator
from itertools import islice

from db.catalog.image_paths import ImageRoot
from db.catalog.product import RawProduct, ValidatedProduct
from db.catalog.validation import validate
from loader.duplicate_skus import FirstLines
from loader.errors import SourceDamaged, SourceUnreadable
from loader.rejects import Reject
from loader.sources import CatalogSource
from loader.summary import LoadSummary

# A chunk has at most this many rows. With small chunks, the connections of ChunkWriter start to write early and end at
# about the same time.
CHUNK_ROWS = 2_000
CHUNK_CHARACTERS = 16 << 20  # a chunk ends with the row that raises its size above this many characters
PROGRESS_ROWS = 500  # rows between two reports of progress

Progress = Callable[[int, int | None], None]  # bytes or files read so far, and the total if it is known


def validated_chunks(
    source: CatalogSource,
    *,
    limit: int | None,
    strict: bool,
    reject: Callable[[Reject], None],
    summary: LoadSummary,
    on_progress: Progress,
) -> Iterator[list[ValidatedProduct]]:
    """Yields chunks of valid rows, and passes each invalid row to `reject`. Counts all rows in `summary.read`, and
    passes each valid row to `summary.count`. If the source can be read only up to some place, yields the rows before
    that place, and then raises the error of the source."""
    root = ImageRoot(source.image_root)
    chunk: list[ValidatedProduct] = []
    characters = 0
    fault: SourceDamaged | SourceUnreadable | None = None
    with FirstLines() as first_lines:
        try:
            for raw in islice(source.rows(), limit):
                summary.read += 1
                if summary.read % PROGRESS_ROWS == 1:
                    on_progress(source.done, source.size)
                row = raw if isinstance(raw, Reject) else _validated(raw, root, first_lines, strict)
                if isinstance(row, Reject):
                    reject(row)
                    continue
                assert isinstance(raw, RawProduct)
                summary.count(row)
                chunk.append(row)
                characters += _characters(raw)
                if len(chunk) == CHUNK_ROWS or characters > CHUNK_CHARACTERS:
                    yield chunk
                    chunk, characters = [], 0
        except (SourceDamaged, SourceUnreadable) as error:
            fault = error
    if chunk:
        yield chunk
    if fault is not None:
        raise fault


def _validated(raw: RawProduct, root: ImageRoot, first_lines: FirstLines, strict: bool) -> ValidatedProduct | Reject:
    row = validate(raw, root, strict=strict)
    if isinstance(row, list):
        return Reject(raw.line, raw.fields.get("sku", ""), "; ".join(row))
    if earlier := first_lines.earlier(row.product.sku, row.line):
        return Reject(row.line, row.product.sku, f"SKU {row.product.sku} is on line {earlier} already")
    return row


def _characters(raw: RawProduct) -> int:
    return sum(map(len, raw.fields.values())) + sum(len(str(value)) for value in raw.attributes.values())
