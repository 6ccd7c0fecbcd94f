"""Reads compose.yaml, the versions of its images, and the Containerfile."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "compose.yaml"
IMAGES = ROOT / "deploy" / "images.yaml"
CONTAINERFILE = ROOT / "deploy" / "Containerfile"

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?::-(?P<default>[^}]*))?\}")


def read_compose(variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return compose.yaml as Compose reads it: with the values of its variables, and with the keys that a service takes
    from another service by `extends`."""
    text = interpolated(COMPOSE.read_text(encoding="utf-8"), variables or {})
    compose: dict[str, Any] = yaml.safe_load(text)
    for service in compose["services"].values():
        extended = service.get("extends")
        if extended is not None:
            base = yaml.safe_load((ROOT / extended["file"]).read_text(encoding="utf-8"))["services"][
                extended["service"]
            ]
            service |= {key: {**value, **service.get(key, {})} if isinstance(value, dict) else value
                        for key, value in base.items()}  # fmt: skip
    return compose


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """Return the text with the values of its variables. Raises KeyError if a variable has neither value nor default."""

    def value(match: re.Match[str]) -> str:
        default = match["default"]
        return variables.get(match["name"], default) if default is not None else variables[match["name"]]

    return _VARIABLE.sub(value, text)


@dataclass
class Stage:
    """The settings that a stage of the Containerfile gives to the containers of its image."""

    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] | None = None
    user: str | None = None
    labels: dict[str, str] = field(default_factory=dict)


def read_stages(text: str | None = None) -> dict[str, Stage]:
    """Return the stages of the Containerfile by name. A stage inherits the values of the stage on which it is built."""
    stages: dict[str, Stage] = {}
    stage = Stage()
    for instruction, value in _instructions(CONTAINERFILE.read_text(encoding="utf-8") if text is None else text):
        match instruction:
            case "FROM":
                base, _, name = value.partition(" AS ")
                of = stages.get(base, Stage())
                stage = Stage(dict(of.environment), of.entrypoint, of.command, of.healthcheck, of.user, dict(of.labels))
                stages[name] = stage
            case "ENV":
                stage.environment |= _pairs(value)
            case "LABEL":
                stage.labels |= _pairs(value)
            case "ENTRYPOINT":
                stage.entrypoint, stage.command = json.loads(value), []
            case "CMD":
                stage.command = json.loads(value)
            case "USER":
                stage.user = value
            case "HEALTHCHECK":
                stage.healthcheck = json.loads(value[value.index("CMD") + 3 :])
    return stages


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n", " ", "\n".join(lines))
    return [(word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in whole.splitlines())]


def _pairs(value: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(value))


def seconds(duration: str | int) -> float:
    """Return the number of seconds in a duration of Compose, such as 1m30s."""
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    parts = re.findall(r"(\d+)(ms|s|m|h)", str(duration))
    assert "".join(number + unit for number, unit in parts) == str(duration), duration
    return sum(int(number) * units[unit] for number, unit in parts)
