"""The manifests of deploy/kubernetes keep the rules of this project, and each deliberate fault is named."""

import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from db.setting_sources import secrets, variable
from deploy.kubernetes.create_secrets import main as create_secrets
from tests.deploy.test_kubernetes import Change, container, in_spec, pod
from tests.support.compose.files import ROOT
from tests.support.kubernetes.manifests import KUBERNETES, OVERLAYS, Manifest, one, overlay
from tests.support.kubernetes.references import reference_faults
from tests.support.kubernetes.rules import Known, pod_faults
from tests.test_settings import CLASSES

pytestmark = pytest.mark.deploy

KNOWN = Known(
    settings={variable(each, name) for each in CLASSES.values() for name in each.model_fields}
    | {f"{variable(each, name)}_FILE" for each in CLASSES.values() for name in secrets(each)},
    secrets={each["metadata"]["name"]: set(each["stringData"]) for each in create_secrets()["items"]}
    | {
        "windowshop-db-ca": {"ca.crt", "ca.key"},  # CloudNativePG creates this secret for the cluster windowshop-db
        "windowshop-backups": {"ACCESS_KEY_ID", "SECRET_ACCESS_KEY"},  # docs/kubernetes.md says how it is created
    },
    version=tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
    deadline=tomllib.loads((KUBERNETES / "base" / "windowshop.toml").read_text())["web"]["deadline_ms"] / 1000,
)


def faults(manifests: list[Manifest]) -> list[str]:
    return pod_faults(manifests, KNOWN) + reference_faults(manifests, KNOWN)


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_manifests_keep_the_rules(name: str) -> None:
    assert faults(overlay(name)) == []


def environment(name: str, value: str) -> Change:
    return lambda manifests: container(manifests)["env"].append({"name": name, "value": value})


def remove(part: Callable[[list[Manifest]], dict[str, Any]], key: str) -> Change:
    return lambda manifests: part(manifests).pop(key)


def cluster(manifests: list[Manifest]) -> dict[str, Any]:
    found: dict[str, Any] = one(manifests, "Cluster", "windowshop-db")["spec"]
    return found


def encoder(manifests: list[Manifest]) -> dict[str, Any]:
    return pod(manifests, "StatefulSet", "windowshop-encoder")


def mounted(kind: str, **source: Any) -> Change:
    """Mount one more volume into web."""

    def change(manifests: list[Manifest]) -> None:
        pod(manifests)["volumes"].append({"name": "site", kind: source})
        container(manifests)["volumeMounts"].append({"name": "site", "mountPath": "/site", "readOnly": True})

    return change


def volume(manifests: list[Manifest], name: str) -> dict[str, Any]:
    found: dict[str, Any]
    [found] = [each for each in pod(manifests)["volumes"] if each["name"] == name]
    return found


WEB = "Deployment windowshop-web"
FAULTS: dict[str, Change] = {
    f"{WEB}: enableServiceLinks is not false": remove(pod, "enableServiceLinks"),
    f"{WEB}: automountServiceAccountToken is not false": remove(pod, "automountServiceAccountToken"),
    f"{WEB}: runAsNonRoot is not True": lambda m: pod(m)["securityContext"].pop("runAsNonRoot"),
    f"{WEB}: runAsUser is not 10001": lambda m: pod(m)["securityContext"].update(runAsUser=0),
    f"{WEB}: seccompProfile is not RuntimeDefault": lambda m: pod(m)["securityContext"].pop("seccompProfile"),
    f"{WEB}: hostNetwork is set": lambda m: pod(m).update(hostNetwork=True),
    f"{WEB}: an init container has no network in a service mesh": lambda m: pod(m).update(initContainers=[{}]),
    f"{WEB}: web: readOnlyRootFilesystem is not True": lambda m: container(m)["securityContext"].pop(
        "readOnlyRootFilesystem"
    ),
    f"{WEB}: web: allowPrivilegeEscalation is not False": lambda m: container(m)["securityContext"].update(
        allowPrivilegeEscalation=True
    ),
    f"{WEB}: web: capabilities is not {{'drop': ['ALL']}}": lambda m: container(m)["securityContext"].update(
        capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}
    ),
    f"{WEB}: web: no limits of memory": lambda m: container(m)["resources"].pop("limits"),
    f"{WEB}: web: no requests of cpu": lambda m: container(m)["resources"]["requests"].pop("cpu"),
    f"{WEB}: web: no readinessProbe": lambda m: container(m).pop("readinessProbe"),
    f"{WEB}: web: no startupProbe": lambda m: container(m).pop("startupProbe"),
    # A liveness probe that needs the database would restart every pod while the database does not answer.
    f"{WEB}: web: livenessProbe calls /ready": lambda m: container(m)["livenessProbe"]["httpGet"].update(path="/ready"),
    f"{WEB}: web: livenessProbe calls port 8000, and no port has this name": lambda m: container(m)["livenessProbe"][
        "httpGet"
    ].update(port=8000),
    f"{WEB}: web: tini does not start the process": lambda m: container(m).update(command=["sh", "-c"]),
    f"{WEB}: web: no WINDOWSHOP_DATABASE_URL_FILE, so the process would look for the embedded server": lambda m: (
        container(m)["env"].pop(0)
    ),
    f"{WEB}: web: /run/secrets/database/ca.crt, which the addresses name, is missing": lambda m: container(m)[
        "volumeMounts"
    ][2].update(mountPath="/run/secrets/authority"),
    f"{WEB}: the volume home has no source": lambda m: volume(m, "home").pop("emptyDir"),
    f"{WEB}: every user may read the volume secrets": lambda m: volume(m, "secrets")["secret"].pop("defaultMode"),
    f"{WEB}: a topologySpreadConstraint also selects StatefulSet windowshop-encoder": lambda m: pod(m)[
        "topologySpreadConstraints"
    ][0].update(
        labelSelector={
            "matchExpressions": [{"key": "app.kubernetes.io/component", "operator": "In", "values": ["web", "encoder"]}]
        }
    ),
    "Job windowshop-migrate-0-1-0: migrate: no WINDOWSHOP_LOGIN_PASSWORDS, so the logins would get other passwords": (
        lambda m: container(m, "Job", "windowshop-migrate-0-1-0")["env"].pop(1)
    ),
    "Cluster windowshop-db: the log would contain texts and images of queries": lambda m: cluster(m)["postgresql"][
        "parameters"
    ].pop("log_min_error_statement"),
    "Cluster windowshop-db: the owner of the database can log in": lambda m: cluster(m)["managed"]["roles"].clear(),
    "Pooler windowshop-pooler-rw: the mode is not transaction": lambda m: one(m, "Pooler", "windowshop-pooler-rw")[
        "spec"
    ]["pgbouncer"].pop("poolMode"),
    "ServiceMonitor windowshop: the label instance is not the name of the pod": lambda m: one(
        m, "ServiceMonitor", "windowshop"
    )["spec"]["endpoints"][0]["relabelings"].clear(),
    f"{WEB}: web: livenessProbe is not an HTTP request": lambda m: container(m).update(
        livenessProbe={"tcpSocket": {"port": "http"}}
    ),
    f"{WEB}: web: startupProbe fails before the 600 seconds of wait.py have ended": lambda m: container(m)[
        "startupProbe"
    ].update(failureThreshold=60),
    f"{WEB}: web: secret windowshop-logins has no key writer": lambda m: container(m)["env"].append(
        {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": "windowshop-logins", "key": "writer"}}}
    ),
    f"{WEB}: web: there is no ConfigMap settings": lambda m: container(m).update(
        envFrom=[{"configMapRef": {"name": "settings"}}]
    ),
    f"{WEB}: web: port 9999 has no name that begins with its protocol": lambda m: container(m)["ports"].append(
        {"name": "web", "containerPort": 9999}
    ),
    f"{WEB}: web: windowshop-web:latest is not in deploy/images.yaml": lambda m: container(m).update(
        image="windowshop-web:latest"
    ),
    f"{WEB}: web: WINDOWSHOP_WEB_DEADLINE is not a setting": environment("WINDOWSHOP_WEB_DEADLINE", "1"),
    f"{WEB}: web: WINDOWSHOP_DATABASE_URL is a secret with a value in the manifest": environment(
        "WINDOWSHOP_DATABASE_URL", "postgresql://shop_web_writer:secret@windowshop-db-rw/windowshop"
    ),
    f"{WEB}: web: WINDOWSHOP_GATEWAY_PASSWORD_FILE: no volume has /run/secrets/windowshop/gateway": environment(
        "WINDOWSHOP_GATEWAY_PASSWORD_FILE", "/run/secrets/windowshop/gateway"
    ),
    f"{WEB}: there is no secret windowshop-site": mounted("secret", secretName="windowshop-site", defaultMode=0o440),
    f"{WEB}: secret windowshop-db-ca has no key tls.crt": lambda m: volume(m, "database-ca")["secret"]["items"].append(
        {"key": "tls.crt", "path": "tls.crt"}
    ),
    f"{WEB}: there is no ConfigMap windowshop-settings": mounted("configMap", name="windowshop-settings"),
    f"{WEB}: web: mounts /run/secrets/database/ca.key": lambda m: volume(m, "database-ca")["secret"].pop("items"),
    f"{WEB}: the volume tmp has no sizeLimit": lambda m: volume(m, "tmp")["emptyDir"].pop("sizeLimit"),
    f"{WEB}: the volume secrets is writable": lambda m: container(m)["volumeMounts"][1].pop("readOnly"),
    f"{WEB}: no volume cache": lambda m: container(m)["volumeMounts"].append({"name": "cache", "mountPath": "/x"}),
    f"{WEB}: no preStop, so a stopping pod still gets requests": remove(container, "lifecycle"),
    f"{WEB}: terminationGracePeriodSeconds is not longer than the sleep and the deadline of a request": lambda m: pod(
        m
    ).update(terminationGracePeriodSeconds=16),
    f"{WEB}: a topologySpreadConstraint does not select the pods": lambda m: pod(m)["topologySpreadConstraints"][
        0
    ].update(labelSelector={"matchLabels": {"app": "web"}}),
    "StatefulSet windowshop-encoder: no toleration for the taint of nodes with a GPU": remove(encoder, "tolerations"),
    "StatefulSet windowshop-encoder: there is no headless service windowshop": in_spec(
        "StatefulSet", "windowshop-encoder", serviceName="windowshop"
    ),
    "Deployment windowshop-toolbox: has no port for probes": in_spec("Deployment", "windowshop-toolbox", replicas=1),
    "Job windowshop-migrate-0-1-0: restartPolicy is not OnFailure": lambda m: pod(
        m, "Job", "windowshop-migrate-0-1-0"
    ).update(restartPolicy="Never"),
    "Job windowshop-migrate-0-1-0: the proxy of a service mesh would keep the job from ending": lambda m: one(
        m, "Job", "windowshop-migrate-0-1-0"
    )["spec"]["template"]["metadata"].pop("annotations"),
    f"Job windowshop-migrate: the name does not end with the version {KNOWN.version}": lambda m: one(
        m, "Job", "windowshop-migrate-0-1-0"
    )["metadata"].update(name="windowshop-migrate"),
    "Namespace windowshop: does not enforce the restricted pod security standard": lambda m: one(
        m, "Namespace", "windowshop"
    )["metadata"].pop("labels"),
    "Service windowshop-web: Deployment windowshop-web has no port web": lambda m: one(m, "Service", "windowshop-web")[
        "spec"
    ]["ports"][0].update(targetPort="web"),
    "Service windowshop-web: selects 0 workloads": in_spec("Service", "windowshop-web", selector={"app": "web"}),
    "Service windowshop-web: port 80 does not name its protocol": lambda m: one(m, "Service", "windowshop-web")["spec"][
        "ports"
    ][0].update(name="web"),
    "PodDisruptionBudget windowshop-web: does not select exactly one workload": in_spec(
        "PodDisruptionBudget", "windowshop-web", selector={"matchLabels": {"app": "web"}}
    ),
    "HorizontalPodAutoscaler windowshop-web: there is no Deployment web": lambda m: one(
        m, "HorizontalPodAutoscaler", "windowshop-web"
    )["spec"]["scaleTargetRef"].update(name="web"),
    "ScaledObject windowshop-encoder: StatefulSet windowshop-encoder sets replicas too, so each `kubectl apply` "
    "would undo the scaling": in_spec("StatefulSet", "windowshop-encoder", replicas=1),
    "ServiceMonitor windowshop: selects no service": in_spec(
        "ServiceMonitor", "windowshop", selector={"matchLabels": {"app": "web"}}
    ),
    "PodMonitor windowshop-db: selects the poolers too": in_spec(
        "PodMonitor", "windowshop-db", selector={"matchLabels": {"cnpg.io/cluster": "windowshop-db"}}
    ),
    "DaemonSet windowshop-web: no rule knows this kind": lambda m: m.append(
        {"kind": "DaemonSet", "metadata": {"name": "windowshop-web", "namespace": "windowshop"}}
    ),
    "Cluster windowshop-db: the namespace is not windowshop": lambda m: one(m, "Cluster", "windowshop-db")[
        "metadata"
    ].pop("namespace"),
    "Cluster windowshop-db: ghcr.io/cloudnative-pg/postgresql:18 is not in deploy/images.yaml": in_spec(
        "Cluster", "windowshop-db", imageName="ghcr.io/cloudnative-pg/postgresql:18"
    ),
    "Cluster windowshop-db: there is no ObjectStore backups": lambda m: cluster(m)["plugins"][0]["parameters"].update(
        barmanObjectName="backups"
    ),
    "Cluster windowshop-db: two servers may run on one node": remove(cluster, "affinity"),
    "Cluster windowshop-db: there is no metrics.yaml in a ConfigMap windowshop-db-queries": lambda m: cluster(m)[
        "monitoring"
    ]["customQueriesConfigMap"][0].update(key="metrics.yaml"),
    "Pooler windowshop-pooler-rw: the certificate of the server does not have the name of the pooler": lambda m: (
        cluster(m)["certificates"]["serverAltDNSNames"].remove("windowshop-pooler-rw")
    ),
    "ScheduledBackup windowshop-daily: the schedule does not have six fields": in_spec(
        "ScheduledBackup", "windowshop-daily", schedule="30 2 * * *"
    ),
    "ObjectStore windowshop-backups: secret windowshop-backups has no key ACCESS_SECRET_KEY": lambda m: one(
        m, "ObjectStore", "windowshop-backups"
    )["spec"]["configuration"]["s3Credentials"]["secretAccessKey"].update(key="ACCESS_SECRET_KEY"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_deliberate_fault_is_named(fault: str) -> None:
    manifests = overlay("ha")
    FAULTS[fault](manifests)
    assert faults(manifests) == [fault]
