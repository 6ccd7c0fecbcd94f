"""Exports the image tower and the text tower of models for ONNX Runtime, and tells which exports can be used."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from db.engine import Database
from db.errors import EncoderError
from db.lifecycle.serving import every_model
from db.roles import Role
from encoder.errors import ExportUnusable
from encoder.models import exports
from encoder.settings import EncoderSettings
from windowshop.output.progress import waiting

if TYPE_CHECKING:
    from db.lifecycle.status import ModelStatus
    from encoder.models.loading import Model

_SAMPLES = 32
_LONG = "a text that is longer than the texts that a shopper types, " * 40


def export_model(database: Database, name: str) -> None:
    """Export the model of this name. Raises EncoderError if there is no such model, if its files have changed, or if it
    cannot be loaded or exported."""
    with database.connect(Role.ANALYST) as conn:
        found = [row for row in every_model(conn) if row.name == name]
    if not found:
        raise EncoderError(f"there is no model {name}", hint='See "windowshop model list".')
    with waiting("Loading the model"):
        from encoder.models.loading import load  # loads torch, which takes seconds

        loaded = load(found[0].source, "cpu", found[0].revision)
    if loaded.revision != found[0].revision:
        raise EncoderError(
            f"model {name} was added with the weights {found[0].revision}, but {found[0].source} has the weights "
            f"{loaded.revision}",
            hint="Restore the old files, or add the model under another name.",
        )
    _export(loaded)


def export_if_possible(loaded: "Model", name: str) -> None:
    """Export a model that was just added. If this fails, print the reason and how to export the model later."""
    try:
        _export(loaded)
    except EncoderError as error:
        typer.echo(f"Encoders run {name} with torch: {error.message}.")
        if error.hint:
            typer.echo(f'{error.hint.rstrip(".")}. Then: "windowshop model export {name}".')


def exported_towers(models: "Sequence[ModelStatus]") -> dict[str, list[str]]:
    """Return for each model the towers that encoders on this machine can run with ONNX Runtime. An export that cannot
    be read counts as none; an encoder logs the reason."""
    found: dict[str, list[str]] = {}
    for model in models:
        try:
            export = exports.find(EncoderSettings.read().export_folder(), model.revision)
        except ExportUnusable:
            continue
        found[model.model] = [] if export is None else sorted(export.towers)
    return found


def _export(loaded: "Model") -> None:
    from encoder.models import export  # loads torch

    written, left_out = export.write(
        loaded, EncoderSettings.read().export_folder(), sample_texts(), sample_images(), waiting
    )
    for part, tower in written.towers.items():
        typer.echo(f"The {part} tower is exported for ONNX Runtime: least cosine to torch {tower.cosine:.6f}.")
    for line in left_out:
        typer.echo(line)
    if written.bfloat16 is not None:
        used = written.bfloat16 >= exports.MIN_COSINE
        typer.echo(
            f"Its image tower in bfloat16 has a least cosine of {written.bfloat16:.6f}, so encoders on this CPU "
            f"{'use' if used else 'do not use'} bfloat16."
        )


def sample_images() -> list[Path]:
    """Return images of the sample catalog, on which an export is compared with torch."""
    from loader import sample

    paths = sorted(sample.IMAGES.glob("*.webp"))
    return paths[:: max(1, len(paths) // _SAMPLES)][:_SAMPLES]


def sample_texts() -> list[str]:
    """Return titles of the sample catalog, a text of one letter, and a text that is longer than models read."""
    from loader import sample

    with (sample.FOLDER / "products.csv").open(encoding="utf-8", newline="") as file:
        titles = [row["title"] for row in csv.DictReader(file)]
    return [*titles[:: max(1, len(titles) // _SAMPLES)][: _SAMPLES - 2], "x", _LONG]
