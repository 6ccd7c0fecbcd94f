"""Adds and drops the label indexes of a model, by reversible revisions of the site.

A label is a frequent value of a field, such as the product type "bags". Its label indexes are HNSW indexes that contain
only the products with this value.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from db import schema
from db.engine import Database
from db.errors import DatabaseError, WindowshopError
from db.lifecycle import label_indexes
from db.lifecycle.indexes import every_index
from db.lifecycle.promotion import serving_name
from db.settings import Settings
from migrations.model_revisions import revise
from migrations.upgrade import migrating, upgrade

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Changed:
    """The labels that a revision added or dropped. `file` is the file of the revision, or None if no revision was
    needed.

    `left_out` has the values that got no label, because a model has at most label_indexes.MOST labels.
    """

    file: Path | None
    model: str
    values: list[Any]
    left_out: list[Any]


def add_labels(
    database: Database,
    settings: Settings,
    field: str,
    *,
    min_rows: int | None = None,
    model: str | None = None,
    on_progress: Progress = lambda _: None,
) -> Changed:
    """Add a label for each value of a field that is no label yet, if at least `min_rows` products have this value.

    The indexes are deferred: `deferred_indexes.build` later copies the vectors and builds the indexes. Raises
    SettingsError for a field or a value that cannot be a label, and DatabaseError if the model does not exist or is
    retired.
    """
    label_indexes.field_sql(field)

    def missing(conn: Connection, name: str) -> list[Any]:
        least = label_indexes.least_rows(conn) if min_rows is None else min_rows
        return _missing(field, label_indexes.values_of(conn, field, least), conn, name)

    return _change(database, settings, field, model, missing, on_progress, add=True)


def drop_labels(
    database: Database,
    settings: Settings,
    field: str,
    *,
    model: str | None = None,
    on_progress: Progress = lambda _: None,
) -> Changed:
    """Drop all labels of a field. Raises DatabaseError if the model does not exist or is retired."""

    def present(conn: Connection, name: str) -> list[Any]:
        return label_indexes.labels_of(conn, name).get(field, [])

    return _change(database, settings, field, model, present, on_progress, add=False)


def _change(
    database: Database,
    settings: Settings,
    field: str,
    model: str | None,
    values_of: Callable[[Connection, str], list[Any]],
    on_progress: Progress,
    *,
    add: bool,
) -> Changed:
    """Add or drop the labels of the values that `values_of` returns for the name of the model."""
    upgrade(database, settings, on_progress)
    with migrating(database, settings) as (_, conn, _):
        name, dimension = _model(conn, model)
        found = values_of(conn, name)
        values = found[: max(0, label_indexes.room(conn, name))] if add else found
        left_out = found[len(values) :]
        m, ef_construction = _parameters(conn, name)
        conn.rollback()
        if not values:
            return Changed(None, name, [], left_out)
        file = _revise(settings, name, dimension, field, values, m, ef_construction, add=add)
    try:
        upgrade(database, settings, on_progress)
    except WindowshopError:
        # A revision that adds labels is rolled back as a whole, so its file is deleted. A revision that drops labels
        # commits in steps, so its file stays, and the next upgrade runs it again.
        if add:
            file.unlink()
        raise
    return Changed(file, name, values, left_out)


def _missing(field: str, values: Sequence[Any], conn: Connection, name: str) -> list[Any]:
    """Return the values of the field that are no labels of the model yet."""
    known = label_indexes.labels_of(conn, name).get(field, [])
    return [one for one in values if not label_indexes.is_in(known, one)]


def carry_labels(
    database: Database, settings: Settings, to: str, on_progress: Progress = lambda _: None
) -> list[Changed]:
    """Add the labels of the serving model to the model `to`, which does not serve yet. Returns the additions."""
    with database.connect(None) as conn:
        schema.check(conn)
        serving = serving_name(conn)
        status = conn.scalar(text("select status::text from shop.model where name = :name"), {"name": to})
        if serving in (None, to) or status != "building":
            return []
        wanted = label_indexes.labels_of(conn, serving)
    carried = [
        _change(database, settings, field, to, partial(_missing, field, values), on_progress, add=True)
        for field, values in wanted.items()
    ]
    return [one for one in carried if one.values]


def _model(conn: Connection, name: str | None) -> tuple[str, int]:
    """Return the name and the dimension of a model, by default of the serving model."""
    wanted = name or serving_name(conn)
    row = conn.execute(
        text("select name, dimension from shop.model where name = :name and status <> 'retired'"), {"name": wanted}
    ).one_or_none()
    if row is None:
        raise DatabaseError(
            f"model {name} does not exist or is retired" if name else "no model is serving",
            hint='See "windowshop model status".',
        )
    return row.name, row.dimension


def _parameters(conn: Connection, model: str) -> tuple[int, int]:
    """Return m and ef_construction of the model's index of all images."""
    of = [index for index in every_index(conn, {}) if index.model == model and index.label is None]
    return (of[0].m or 16, of[0].ef_construction or 64) if of else (16, 64)


def _revise(
    settings: Settings,
    model: str,
    dimension: int,
    field: str,
    values: Sequence[Any],
    m: int,
    ef_construction: int,
    *,
    add: bool,
) -> Path:
    listed = ", ".join(_python(value) for value in values)
    called = f"({_python(model)}, {dimension}, {_python(field)}, [{listed}], m={m}, ef_construction={ef_construction})"
    lines = [f"op.add_label_indexes{called}"], [f"op.drop_label_indexes{called}"]
    up, down = lines if add else lines[::-1]
    what = f"{'adds' if add else 'drops'} label indexes for {len(values)} values of a field"
    return revise(settings.home, "label" if add else "unlabel", model, what, up, down, depends=schema.HEAD)


def _python(value: Any) -> str:
    """Return a Python literal. JSON's true and false are no Python literals."""
    return repr(value) if isinstance(value, bool) else json.dumps(value, ensure_ascii=False)
