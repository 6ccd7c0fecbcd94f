"""Changes named columns of one product, and replaces its images if new ones are given."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, func, select, update

from db.catalog import store
from db.catalog.product import COLUMNS, Image, Product
from db.errors import StatementRefused
from db.tables.catalog import product

_THIS = (product.c.catalog, product.c.product_id, product.c.attributes, *(product.c[name] for name in COLUMNS))


def read_for_update(conn: Connection, sku: str, catalog: str) -> dict[str, Any] | None:
    """Return the columns of a product and its attributes, and lock the product until the transaction ends. Return None
    if there is no such product."""
    this = product.c.product_id == func.shop.product_id(sku, catalog)
    row = conn.execute(select(*_THIS).where(this).with_for_update()).mappings().one_or_none()
    return None if row is None else dict(row)


def merged(attributes: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return `attributes` with the changes of `patch`, by the rules of a JSON merge patch (RFC 7396)."""
    result = dict(attributes)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            before = result.get(name)
            result[name] = merged(before if isinstance(before, Mapping) else {}, value)
        else:
            result[name] = value
    return result


def write(
    conn: Connection,
    before: Mapping[str, Any],
    values: Mapping[str, Any],
    images: Sequence[Image] | None,
    image_root: Path | None,
) -> Literal["updated", "unchanged"]:
    """Give the columns in `values` their new values. `before` is the result of `read_for_update`.

    `images` replaces all images; None leaves the images as they are. Raises StatementRefused if the database refuses a
    value.
    """
    changed = {name: value for name, value in values.items() if before[name] != value}
    this = product.c.product_id == before["product_id"]
    with conn.begin_nested():
        if images is not None:
            return _write_whole(conn, {**before, **changed}, images, image_root)
        if not changed:
            return "unchanged"
        conn.execute(update(product).where(this).values(**changed, updated_at=func.statement_timestamp()))
    return "updated"


def _write_whole(
    conn: Connection, row: Mapping[str, Any], images: Sequence[Image], image_root: Path | None
) -> Literal["updated", "unchanged"]:
    columns = {name: row[name] for name in COLUMNS}
    whole = Product(**columns, attributes=row["attributes"], images=tuple(images))
    [outcome] = store.put(conn, [whole], catalog=row["catalog"], image_root=image_root)
    if isinstance(outcome, StatementRefused):
        raise outcome
    return "unchanged" if outcome == "unchanged" else "updated"
