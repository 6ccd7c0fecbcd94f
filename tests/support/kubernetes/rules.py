"""Checks the pods of deploy/kubernetes against rules that are not in the schemas of Kubernetes."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests.support.compose.files import IMAGES
from tests.support.compose.rules import SECRET
from tests.support.kubernetes.manifests import Manifest, Pod, matches, of_kind, pods

USER = 10001
AUTHORITY = "/run/secrets/database/ca.crt"  # create_secrets.py writes this path into the addresses
PROTOCOLS = re.compile(r"(http|grpc|tcp)(-|$)")  # a service mesh reads the protocol from the name of a port
PROBES = {"startupProbe": ("/health", "/ready"), "livenessProbe": ("/health",), "readinessProbe": ("/ready",)}
GPU = "nvidia.com/gpu"
NO_MESH = {"labels": {"sidecar.istio.io/inject": "false"}, "annotations": {"linkerd.io/inject": "disabled"}}


@dataclass(frozen=True)
class Known:
    """Names and values that are not in the manifests, but that the manifests must agree with."""

    settings: set[str]  # the variables of Windowshop
    secrets: Mapping[str, set[str]]  # names of secrets, and their keys
    version: str
    deadline: float  # of a request, in seconds

    @property
    def images(self) -> set[str]:
        own = {f"windowshop-{name}:{self.version}" for name in ("web", "encoder-cpu", "encoder-gpu")}
        services = yaml.safe_load(IMAGES.read_text(encoding="utf-8"))["services"].values()
        return own | {service["image"] for service in services if "image" in service}


def pod_faults(manifests: list[Manifest], known: Known) -> list[str]:
    """Return a line for each violated rule."""
    configs = {each["metadata"]["name"]: set(each["data"]) for each in of_kind(manifests, "ConfigMap")}
    found = []
    for pod in pods(manifests):
        others = [other for other in pods(manifests) if other != pod]
        for fault in (*_pod(pod, known), *_selectors(pod, others), *_volumes(pod, known, configs)):
            found.append(f"{pod.name}: {fault}")
        for container in pod.containers:
            parts = (
                _rights(container),
                _ports(pod, container),
                _waiting(container),
                _process(pod, container, _files(pod, container, known, configs)),
                _variables(pod, container, known, configs),
                _references(container, known, configs),
            )
            found += [f"{pod.name}: {container['name']}: {fault}" for part in parts for fault in part]
            if container["image"] not in known.images:
                found.append(f"{pod.name}: {container['name']}: {container['image']} is not in deploy/images.yaml")
    return found


def _pod(pod: Pod, known: Known) -> Iterator[str]:
    spec = pod.spec
    for key in ("enableServiceLinks", "automountServiceAccountToken"):
        if spec.get(key) is not False:
            yield f"{key} is not false"
    security = spec.get("securityContext", {})
    expected = {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER}
    yield from (f"{key} is not {value}" for key, value in expected.items() if security.get(key) != value)
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "seccompProfile is not RuntimeDefault"
    yield from (f"{key} is set" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key))
    if spec.get("initContainers"):
        yield "an init container has no network in a service mesh"
    if pod.kind == "Job":
        if spec.get("restartPolicy") != "OnFailure":
            yield "restartPolicy is not OnFailure"
        metadata = pod.template["metadata"]
        if any(
            metadata.get(kind, {}).get(key) != value for kind, pairs in NO_MESH.items() for key, value in pairs.items()
        ):
            yield "the proxy of a service mesh would keep the job from ending"
        if not pod.workload["metadata"]["name"].endswith("-" + known.version.replace(".", "-")):
            yield f"the name does not end with the version {known.version}"
    elif not pod.ports and pod.workload["spec"].get("replicas") != 0:
        yield "has no port for probes"
    if "http" in pod.ports:
        sleep = max(
            each.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0) for each in pod.containers
        )
        if sleep == 0:
            yield "no preStop, so a stopping pod still gets requests"
        if spec.get("terminationGracePeriodSeconds", 30) <= known.deadline + sleep + 1:
            yield "terminationGracePeriodSeconds is not longer than the sleep and the deadline of a request"
    asks_gpu = any(GPU in each["resources"].get("limits", {}) for each in pod.containers)
    if asks_gpu and not any(toleration.get("key") == GPU for toleration in spec.get("tolerations", [])):
        yield "no toleration for the taint of nodes with a GPU"


def _selectors(pod: Pod, others: list[Pod]) -> Iterator[str]:
    selectors = [] if pod.kind == "Job" else [("the selector", pod.workload["spec"]["selector"])]
    selectors += [
        ("a topologySpreadConstraint", each["labelSelector"]) for each in pod.spec.get("topologySpreadConstraints", [])
    ]
    for what, selector in selectors:
        if not matches(selector, pod.labels):
            yield f"{what} does not select the pods"
        yield from (f"{what} also selects {other.name}" for other in others if matches(selector, other.labels))


def _rights(container: Mapping[str, Any]) -> Iterator[str]:
    security = container.get("securityContext", {})
    expected = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    yield from (f"{key} is not {value}" for key, value in expected.items() if security.get(key) != value)
    if security.get("privileged"):
        yield "is privileged"
    resources = container.get("resources", {})
    for kind, names in (("requests", ("cpu", "memory")), ("limits", ("memory",))):
        yield from (f"no {kind} of {name}" for name in names if name not in resources.get(kind, {}))


def _ports(pod: Pod, container: Mapping[str, Any]) -> Iterator[str]:
    for port in container.get("ports", []):
        if not PROTOCOLS.match(port.get("name", "")):
            yield f"port {port['containerPort']} has no name that begins with its protocol"
        if "hostPort" in port:
            yield f"port {port['containerPort']} is a port of the node"
    for kind, paths in PROBES.items():
        probe = container.get(kind)
        if probe is None:
            if container.get("ports"):
                yield f"no {kind}"
        elif "httpGet" not in probe:
            yield f"{kind} is not an HTTP request"
        elif probe["httpGet"]["path"] not in paths:
            yield f"{kind} calls {probe['httpGet']['path']}"
        elif probe["httpGet"]["port"] not in pod.ports:
            yield f"{kind} calls port {probe['httpGet']['port']}, and no port has this name"


def _waiting(container: Mapping[str, Any]) -> Iterator[str]:
    """Check that a process that waits for the schema is not restarted before its wait ends."""
    probe = container.get("startupProbe", {})
    for seconds in re.findall(r"wait\.py \w+ (\d+)", " ".join(container.get("args", []))):
        if probe and probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3) <= int(seconds):
            yield f"startupProbe fails before the {seconds} seconds of wait.py have ended"


def _process(pod: Pod, container: Mapping[str, Any], files: set[str]) -> Iterator[str]:
    """Check what each process of Windowshop needs: an init, the address of the database, and the certificate of the
    authority for TLS."""
    names = {variable["name"] for variable in container.get("env", [])}
    if container.get("command", [])[:2] != ["tini", "--"]:
        yield "tini does not start the process"
    if "WINDOWSHOP_DATABASE_URL_FILE" not in names:
        yield "no WINDOWSHOP_DATABASE_URL_FILE, so the process would look for the embedded server"
    if AUTHORITY not in files:
        yield f"{AUTHORITY}, which the addresses name, is missing"
    if pod.kind == "Job" and "WINDOWSHOP_LOGIN_PASSWORDS" not in names:
        yield "no WINDOWSHOP_LOGIN_PASSWORDS, so the logins would get other passwords"
    yield from (f"mounts {path}" for path in sorted(files) if path.endswith("/ca.key"))


def _variables(pod: Pod, container: Mapping[str, Any], known: Known, configs: Mapping[str, set[str]]) -> Iterator[str]:
    for variable in container.get("env", []):
        name, value = variable["name"], variable.get("value", "")
        if name.startswith("WINDOWSHOP_") and name not in known.settings:
            yield f"{name} is not a setting"
        if re.search(r"://[^/@]*:[^/@]*@", value) or (value and SECRET.search(name) and not value.startswith("/")):
            yield f"{name} is a secret with a value in the manifest"
        # Each of these paths must be a file or a folder in a volume.
        if name.endswith("_FILE") or name in ("WINDOWSHOP_CONFIG", "WINDOWSHOP_LOGIN_PASSWORDS"):
            files = _files(pod, container, known, configs)
            if value not in files and not any(posixpath.dirname(path) == value for path in files):
                yield f"{name}: no volume has {value}"


def _references(container: Mapping[str, Any], known: Known, configs: Mapping[str, set[str]]) -> Iterator[str]:
    """Check the variables that come from secrets and ConfigMaps."""
    sources = (
        ("secretKeyRef", "secretRef", "secret", known.secrets),
        ("configMapKeyRef", "configMapRef", "ConfigMap", configs),
    )
    for one, whole, kind, existing in sources:
        for variable in container.get("env", []):
            reference = variable.get("valueFrom", {}).get(one)
            if reference is not None:
                items = {"items": [{"key": reference["key"]}]}
                yield from _missing(f"{kind} {reference['name']}", items, existing.get(reference["name"]))
        for source in container.get("envFrom", []):
            if whole in source:
                name = source[whole]["name"]
                yield from _missing(f"{kind} {name}", {}, existing.get(name))
                names = {source.get("prefix", "") + key for key in existing.get(name, ())}
                unknown = sorted(
                    each for each in names if each.startswith("WINDOWSHOP_") and each not in known.settings
                )
                yield from (f"{kind} {name}: {each} is not a setting" for each in unknown)


def _files(pod: Pod, container: Mapping[str, Any], known: Known, configs: Mapping[str, set[str]]) -> set[str]:
    """Return the paths of the files in a container that come from secrets and ConfigMaps."""
    volumes = {volume["name"]: volume for volume in pod.spec.get("volumes", [])}
    found = set()
    for mount in container.get("volumeMounts", []):
        volume = volumes.get(mount["name"], {})
        source = volume.get("secret") or volume.get("configMap") or {}
        keys = known.secrets.get(source.get("secretName"), set()) | configs.get(source.get("name"), set())
        items = {item["path"] for item in source.get("items", []) if item["key"] in keys}
        found |= {posixpath.join(mount["mountPath"], name) for name in (items if "items" in source else keys)}
    return found


def _volumes(pod: Pod, known: Known, configs: Mapping[str, set[str]]) -> Iterator[str]:
    templates = {each["metadata"]["name"] for each in pod.workload["spec"].get("volumeClaimTemplates", [])}
    volumes = {volume["name"]: volume for volume in pod.spec.get("volumes", [])}
    mounts = [mount for container in pod.containers for mount in container.get("volumeMounts", [])]
    yield from (f"no volume {mount['name']}" for mount in mounts if mount["name"] not in templates | set(volumes))
    unused = sorted(set(volumes) - {mount["name"] for mount in mounts})
    yield from (f"no container mounts the volume {name}" for name in unused)
    for name, volume in volumes.items():
        if len(volume) != 2:
            yield f"the volume {name} has no source"
        if "hostPath" in volume:
            yield f"the volume {name} is a folder of the node"
        if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
            yield f"the volume {name} has no sizeLimit"
        if "secret" in volume:
            secret = volume["secret"]["secretName"]
            yield from _missing(f"secret {secret}", volume["secret"], known.secrets.get(secret))
            is_public = secret.endswith("-ca")  # _process checks that no container mounts the key of the authority
            if not is_public and volume["secret"].get("defaultMode") != 0o440:
                yield f"every user may read the volume {name}"
            if any(mount["name"] == name and not mount.get("readOnly") for mount in mounts):
                yield f"the volume {name} is writable"
        if "configMap" in volume:
            config = volume["configMap"]["name"]
            yield from _missing(f"ConfigMap {config}", volume["configMap"], configs.get(config))


def _missing(what: str, source: Mapping[str, Any], keys: set[str] | None) -> Iterator[str]:
    if keys is None:
        yield f"there is no {what}"
    else:
        yield from (f"{what} has no key {item['key']}" for item in source.get("items", []) if item["key"] not in keys)
