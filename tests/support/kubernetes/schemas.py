"""Checks manifests against the schemas of Kubernetes, and against those of the operators' resources."""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.support.compose.files import ROOT
from tests.support.kubernetes.manifests import Manifest, name_of

VERSIONS = ("1.33", "1.35", "1.37")
OPERATORS = ("monitoring.coreos.com", "postgresql.cnpg.io", "keda.sh", "barmancloud.cnpg.io")
WITHOUT_SCHEMA = {"barmancloud.cnpg.io/v1 ObjectStore"}  # docs/kubernetes.md names this exception
_FOLDERS = (parent / "shared" / "data" / "schemas" / "crds" for parent in (ROOT, *ROOT.parents))


def is_custom(manifest: Manifest) -> bool:
    return str(manifest["apiVersion"]).split("/")[0] in OPERATORS


def core_faults(manifest: Manifest, version: str) -> list[str]:
    """Return why a version of Kubernetes refuses the manifest. Skip the test where the schemas are not installed."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{name_of(manifest)}: {'.'.join(map(str, error.absolute_path))}: {error.message}"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [f"{name_of(manifest)}: {error.message}"]
    return []


@cache
def crd_folder() -> Path | None:
    """Return the folder with the definitions of the operators' resources, or None if it is missing. The folder is not
    part of this project."""
    return next((folder for folder in _FOLDERS if folder.is_dir()), None)


def custom_faults(manifest: Manifest, folder: Path) -> list[str]:
    kind = f"{manifest['apiVersion']} {manifest['kind']}"
    if kind in WITHOUT_SCHEMA:
        return []
    schema = _schemas(folder).get(kind)
    if schema is None:
        return [f"{name_of(manifest)}: no definition of {kind}"]
    errors = jsonschema.Draft202012Validator(schema).iter_errors(manifest)
    return [f"{name_of(manifest)}: {'.'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]


@cache
def _schemas(folder: Path) -> dict[str, dict[str, Any]]:
    found = {}
    for path in folder.glob("*.yaml"):
        spec = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["spec"]
        for version in spec["versions"]:
            kind = f"{spec['group']}/{version['name']} {spec['names']['kind']}"
            found[kind] = _strict(version["schema"]["openAPIV3Schema"])
    return found


def _strict(schema: Any) -> Any:
    """Return the schema with one more rule: if the schema lists the properties of an object, the object may have no
    others."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items()}
    if isinstance(strict.get("properties"), dict) and not strict.get("x-kubernetes-preserve-unknown-fields"):
        strict.setdefault("additionalProperties", False)
    return strict
