"""Checks compose.yaml against rules that no schema can express."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.compose.files import Stage, seconds

EXACT_TAG = re.compile(r":v?\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?$")
SECRET = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|_KEY")
HARDENING = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
OWN = "windowshop-"


def faults(compose: Mapping[str, Any], stages: Mapping[str, Stage], settings: set[str]) -> list[str]:
    """Return a line for each violated rule. `settings` are the names of Windowshop's settings."""
    services: Mapping[str, Any] = compose["services"]
    found = [f"{name}: {fault}" for name, service in services.items() for fault in _faults(service, stages, settings)]
    found += [f"{name}: {fault}" for name, service in services.items() for fault in _order(service, services)]
    awaited = {name for service in services.values() for name in service.get("depends_on", {})}
    # `docker compose up --wait` fails when a task ends, unless another service waits for the end of this task.
    ending = [name for name, service in services.items() if is_task(service) and service.get("profiles") != ["cli"]]
    found += [f"{name}: no service waits for the end of this task" for name in ending if name not in awaited]
    if not compose["networks"]["database"].get("internal"):
        found.append("the network database is not internal")
    if public := [name for name, service in services.items() if _is_public(service)]:
        found += [f"{name}: only web may have a public port" for name in public if name != "web"]
    else:
        found.append("web: no public port")
    return found


def _faults(service: Mapping[str, Any], stages: Mapping[str, Stage], settings: set[str]) -> Iterator[str]:
    for key, value in HARDENING.items():
        if service.get(key) != value:
            yield f"{key} is not {value}"
    for key in ("mem_limit", "logging", "restart"):
        if key not in service:
            yield f"no {key}"
    image = service["image"]
    if image.startswith(OWN):
        yield from _own(service, stages, settings)
    else:
        if not EXACT_TAG.search(image):
            yield f"{image} is not an exact version"
        if service.get("user") in (None, "root", "0", "0:0"):
            yield "runs as root"
        if not is_task(service) and "healthcheck" not in service:
            yield "no health check"
    if not is_task(service) and "stop_grace_period" not in service:
        yield "no stop_grace_period"
    for name, value in service.get("environment", {}).items():
        if SECRET.search(name) and not str(value).startswith("/"):
            yield f"{name} is a secret with a value in the file"
        if re.search(r"://[^/@]*:[^/@]*@", str(value)):
            yield f"{name} contains a password"
    for volume in service.get("volumes", []):
        if ":/var/lib/postgresql/" in volume:
            yield "the data lie in another folder below /var/lib/postgresql, so this volume does not keep them"


def _own(service: Mapping[str, Any], stages: Mapping[str, Stage], settings: set[str]) -> Iterator[str]:
    target = service.get("build", {}).get("target")
    if target not in stages:
        return (yield "no build of its own image")
    if service.get("user") != stages[target].user:
        yield f"the user is not {stages[target].user}"
    if not is_task(service) and stages[target].healthcheck is None:
        yield "no health check"
    for name in service.get("environment", {}):
        if name.startswith("WINDOWSHOP_") and name not in settings:
            yield f"{name} is not a setting"
    deadline = service.get("environment", {}).get("WINDOWSHOP_WEB_DEADLINE_MS")
    if deadline is not None and seconds(service.get("stop_grace_period", "10s")) <= int(deadline) / 1000 + 1:
        yield "stop_grace_period is not longer than the deadline of a request"


def _order(service: Mapping[str, Any], services: Mapping[str, Any]) -> Iterator[str]:
    for name, dependency in service.get("depends_on", {}).items():
        ends = is_task(services[name])
        if dependency["condition"] != ("service_completed_successfully" if ends else "service_healthy"):
            yield f"waits for {name} with {dependency['condition']}"
        profiles = set(services[name].get("profiles", []))
        started = profiles and profiles >= set(service.get("profiles", [])) > set()
        if profiles and not started and dependency.get("required", True):
            yield f"needs {name}, which is in a profile"


def is_task(service: Mapping[str, Any]) -> bool:
    """Return whether the service runs to its end each time that the site starts."""
    return service.get("restart") == "no"


def _is_public(service: Mapping[str, Any]) -> bool:
    return any(not str(port).startswith("127.0.0.1:") for port in service.get("ports", []))
