"""Defines the command `windowshop settings`, and the check that every given name is a setting."""

from typing import TYPE_CHECKING, Any

import typer

from windowshop.options import AsJson

if TYPE_CHECKING:
    from db.settings import EnvironmentSettings


def classes() -> "dict[str, type[EnvironmentSettings]]":
    """Return the classes of settings, by the titles of docs/settings.md."""
    from db.jobs.settings import JobsSettings
    from db.settings import Settings
    from db.site_status.settings import StatusSettings
    from encoder.settings import EncoderSettings
    from loader.settings import FeedSettings
    from web.settings import WebSettings
    from windowshop.output.log import LogSettings

    return {
        "Every command": Settings,
        "The encoder": EncoderSettings,
        "The web service": WebSettings,
        "Catalog files at web addresses": FeedSettings,
        "The jobs": JobsSettings,
        "The command status": StatusSettings,
        "The log": LogSettings,
    }


def check_names() -> None:
    """Raise SettingsError for a WINDOWSHOP_ variable, or a key of windowshop.toml, that is no setting."""
    from db import setting_sources

    setting_sources.check_names(classes().values())


def settings(as_json: AsJson = False) -> None:
    """Show the value of each setting and its origin: environment, a file, windowshop.toml, or default.

    Secrets are masked. docs/settings.md describes the settings.
    """
    import json

    from rich import box
    from rich.console import Console
    from rich.table import Column, Table

    rows = [row for each in classes().values() for row in _rows(each)]
    if as_json:
        typer.echo(json.dumps({name: {"value": value, "origin": origin} for name, value, origin in rows}, indent=2))
        return
    shown = Table("setting", Column("value", overflow="fold"), "origin", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, value, origin in rows:
        written = ",".join(map(str, value)) if isinstance(value, list) else value
        shown.add_row(name, "" if written is None else str(written), origin)
    Console(markup=False).print(shown)


def _rows(kind: "type[EnvironmentSettings]") -> list[tuple[str, Any, str]]:
    from db.setting_sources import variable

    values, origins = kind.read().model_dump(mode="json"), kind.origins()
    return [(variable(kind, name), value, origins[name]) for name, value in values.items()]
