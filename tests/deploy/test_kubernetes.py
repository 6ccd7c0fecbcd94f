"""The manifests of deploy/kubernetes can be built, and fit the schemas of Kubernetes and of the operators.

No cluster runs here: docs/kubernetes.md says what is not tested.
"""

import re
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.kubernetes.create_secrets import main as secrets
from tests.support.compose.files import ROOT
from tests.support.kubernetes.manifests import (
    KUBERNETES,
    OVERLAYS,
    Manifest,
    build,
    name_of,
    of_kind,
    one,
    overlay,
    pods,
)
from tests.support.kubernetes.schemas import (
    VERSIONS,
    WITHOUT_SCHEMA,
    core_faults,
    crd_folder,
    custom_faults,
    is_custom,
)

pytestmark = pytest.mark.deploy

DOCS = ROOT / "docs" / "kubernetes.md"
Change = Callable[[list[Manifest]], object]


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return overlay(request.param)


# --- kustomize and schemas


def test_each_overlay_has_processes_and_a_database_and_no_object_twice(manifests: list[Manifest]) -> None:
    names = [name_of(each) for each in manifests]
    assert len(names) == len(set(names))
    assert {
        "Deployment windowshop-web",
        "StatefulSet windowshop-encoder",
        "Cluster windowshop-db",
        "NetworkPolicy default-deny",
    } <= set(names)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("base/kustomization.yaml", "- web.yaml", "- webb.yaml"),
        ("components/autoscaling/kustomization.yaml", "/spec/replicas", "/spec/replica"),
        ("overlays/gpu/database.yaml", "name: windowshop-db", "name: windowshop-database"),
    ],
)
def test_kustomize_refuses_a_deliberate_fault(file: str, old: str, new: str, tmp_path: Path) -> None:
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    path = tmp_path / "kubernetes" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    done = build(tmp_path / "kubernetes" / "overlays" / "ha")
    assert done.returncode != 0
    assert new.rpartition(" ")[2] in done.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_the_manifests_fit_the_schemas_of_kubernetes(version: str) -> None:
    checked = {str(each): each for name in OVERLAYS for each in overlay(name) if not is_custom(each)}
    assert len(checked) > 15
    assert [fault for each in checked.values() for fault in core_faults(each, version)] == []


def container(manifests: list[Manifest], kind: str = "Deployment", name: str = "windowshop-web") -> dict[str, Any]:
    found: dict[str, Any] = one(manifests, kind, name)["spec"]["template"]["spec"]["containers"][0]
    return found


def pod(manifests: list[Manifest], kind: str = "Deployment", name: str = "windowshop-web") -> dict[str, Any]:
    found: dict[str, Any] = one(manifests, kind, name)["spec"]["template"]["spec"]
    return found


def in_spec(kind: str, name: str, **values: Any) -> Change:
    return lambda manifests: one(manifests, kind, name)["spec"].update(values)


def test_the_overlay_of_the_docs_changes_the_registry_and_the_settings(tmp_path: Path) -> None:
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    mine = tmp_path / "kubernetes" / "overlays" / "mine"
    mine.mkdir()
    kustomization, settings = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    (mine / "kustomization.yaml").write_text(f"{textwrap.dedent(kustomization)}{textwrap.dedent(settings)}")
    (mine / "windowshop.toml").write_text("[web]\n")
    done = build(mine)
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    images = {container["image"] for each in pods(built) for container in each.containers}
    assert images == {f"registry.example/{name}" for name in ("windowshop-web:0.1.0", "windowshop-encoder-cpu:0.1.0")}
    [config] = of_kind(built, "ConfigMap")
    assert config["data"] == {"windowshop.toml": "[web]\n"}


def test_the_docs_name_only_objects_of_the_overlay_ha_and_other_known_names() -> None:
    manifests = overlay("ha")
    names = {each["metadata"]["name"] for each in manifests} | {each["metadata"]["name"] for each in secrets()["items"]}
    names |= {"windowshop-backups", "windowshop-db-rw", "windowshop-ingress", "windowshop-encoder-cpu"}
    names |= {"windowshop-encoder-gpu"}
    assert set(re.findall(r"\bwindowshop-[a-z0-9-]+", DOCS.read_text())) - names == set()


CORE_FAULTS: dict[str, Change] = {
    "livenesProbe": lambda manifests: container(manifests).update(livenesProbe={}),
    "is not of type 'integer'": lambda manifests: container(manifests)["ports"][0].update(containerPort="8000"),
    "'selector' is a required property": lambda manifests: one(manifests, "Deployment", "windowshop-web")["spec"].pop(
        "selector"
    ),
    "minAvailabel": in_spec("PodDisruptionBudget", "windowshop-web", minAvailabel=1),
    "policyType'": in_spec("NetworkPolicy", "web", policyType=["Ingress"]),
    "Couldn't find schema for kind HorizontalPodAutoscaler with api version autoscaling/v2beta2": lambda manifests: one(
        manifests, "HorizontalPodAutoscaler", "windowshop-web"
    ).update(apiVersion="autoscaling/v2beta2"),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("fault", CORE_FAULTS)
def test_the_schemas_of_kubernetes_refuse_a_deliberate_fault(fault: str, version: str) -> None:
    manifests = overlay("ha")
    before = [str(each) for each in manifests]
    CORE_FAULTS[fault](manifests)
    [changed] = [each for each, old in zip(manifests, before, strict=True) if str(each) != old]
    assert fault in " ".join(core_faults(changed, version))


@pytest.fixture(scope="module")
def definitions() -> Path:
    folder = crd_folder()
    if folder is None:
        pytest.skip(
            "the definitions of the operators' resources are not part of this project; "
            "there is no folder shared/data/schemas/crds beside it"
        )
    return folder


def test_the_manifests_fit_the_definitions_of_the_operators(definitions: Path) -> None:
    checked = {str(each): each for name in OVERLAYS for each in overlay(name) if is_custom(each)}
    kinds = {f"{each['apiVersion']} {each['kind']}" for each in checked.values()}
    assert len(kinds - WITHOUT_SCHEMA) == 7
    assert [fault for each in checked.values() for fault in custom_faults(each, definitions)] == []


CUSTOM_FAULTS: dict[str, Change] = {
    "'minReplicas' was unexpected": in_spec("ScaledObject", "windowshop-encoder", minReplicas=1),
    "'instances' is a required property": lambda manifests: one(manifests, "Cluster", "windowshop-db")["spec"].pop(
        "instances"
    ),
    "'superUserSecret' was unexpected": in_spec("Cluster", "windowshop-db", superUserSecret={"name": "x"}),
    "'statement' is not one of": lambda manifests: one(manifests, "Pooler", "windowshop-pooler-rw")["spec"][
        "pgbouncer"
    ].update(poolMode="statement"),
    "'ports' was unexpected": lambda manifests: one(manifests, "ServiceMonitor", "windowshop")["spec"]["endpoints"][
        0
    ].update(ports="http"),
    "'often' does not match": lambda manifests: one(manifests, "PodMonitor", "windowshop-db")["spec"][
        "podMetricsEndpoints"
    ][0].update(interval="often"),
    "'fro' was unexpected": lambda manifests: one(manifests, "PrometheusRule", "windowshop")["spec"]["groups"][0][
        "rules"
    ][0].update(fro="5m"),
    "'snapshot' is not one of": in_spec("ScheduledBackup", "windowshop-daily", method="snapshot"),
}


@pytest.mark.parametrize("fault", CUSTOM_FAULTS)
def test_the_definitions_of_the_operators_refuse_a_deliberate_fault(fault: str, definitions: Path) -> None:
    manifests = overlay("ha")
    CUSTOM_FAULTS[fault](manifests)
    [found] = [each for one in manifests if is_custom(one) for each in custom_faults(one, definitions)]
    assert fault in found
