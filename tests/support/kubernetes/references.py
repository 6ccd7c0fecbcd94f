"""Checks the manifests of an overlay: the objects that they name exist, the manifests fit each other, and each manifest
keeps the rules of its kind. Other modules check the kinds in CHECKED_ELSEWHERE."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.kubernetes.manifests import WORKLOADS, Manifest, Pod, matches, name_of, of_kind, pods
from tests.support.kubernetes.rules import NO_MESH, PROTOCOLS, Known

NAMESPACE = "windowshop"
PRIVATE_LOG = {
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}
CHECKED_ELSEWHERE = {*WORKLOADS, "ConfigMap", "NetworkPolicy", "PrometheusRule"}


def reference_faults(manifests: list[Manifest], known: Known) -> list[str]:
    """Return a line for each violated rule."""
    checks = {
        "Namespace": _namespace,
        "Service": _service,
        "StatefulSet": _stateful_set,
        "PodDisruptionBudget": _budget,
        "HorizontalPodAutoscaler": _scaled,
        "ScaledObject": _scaled,
        "ServiceMonitor": _monitor,
        "PodMonitor": _pod_monitor,
        "Cluster": _cluster,
        "Pooler": _pooler,
        "ScheduledBackup": _backup,
        "ObjectStore": _store,
    }
    found = []
    for manifest in manifests:
        if manifest["kind"] != "Namespace" and manifest["metadata"].get("namespace") != NAMESPACE:
            found.append(f"{name_of(manifest)}: the namespace is not {NAMESPACE}")
        check = checks.get(manifest["kind"])
        if check is None and manifest["kind"] not in CHECKED_ELSEWHERE:
            found.append(f"{name_of(manifest)}: no rule knows this kind")
        if check is not None:
            found += [f"{name_of(manifest)}: {fault}" for fault in check(manifest, manifests, known)]
    return found


def _has(manifests: list[Manifest], kind: str, name: str) -> bool:
    return any(each["metadata"]["name"] == name for each in of_kind(manifests, kind))


def _selected(selector: Mapping[str, Any], manifests: list[Manifest]) -> list[Pod]:
    return [pod for pod in pods(manifests) if matches(selector, pod.labels)]


def _namespace(manifest: Manifest, _manifests: list[Manifest], _known: Known) -> Iterator[str]:
    if manifest["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
        yield "does not enforce the restricted pod security standard"


def _service(manifest: Manifest, manifests: list[Manifest], _known: Known) -> Iterator[str]:
    selected = _selected({"matchLabels": manifest["spec"]["selector"]}, manifests)
    if len(selected) != 1:
        return (yield f"selects {len(selected)} workloads")
    for port in manifest["spec"]["ports"]:
        if not PROTOCOLS.match(port.get("name", "")) or "appProtocol" not in port:
            yield f"port {port['port']} does not name its protocol"
        if port.get("targetPort") not in selected[0].ports:
            yield f"{selected[0].name} has no port {port.get('targetPort')}"


def _stateful_set(manifest: Manifest, manifests: list[Manifest], _known: Known) -> Iterator[str]:
    service = manifest["spec"].get("serviceName")
    if not any(each["metadata"]["name"] == service and each["spec"].get("clusterIP") == "None"
               for each in of_kind(manifests, "Service")):  # fmt: skip
        yield f"there is no headless service {service}"


def _budget(manifest: Manifest, manifests: list[Manifest], _known: Known) -> Iterator[str]:
    selector = manifest["spec"]["selector"]
    poolers = [each for each in of_kind(manifests, "Pooler")
               if matches(selector, {"cnpg.io/poolerName": each["metadata"]["name"]})]  # fmt: skip
    if len(_selected(selector, manifests)) + len(poolers) != 1:
        yield "does not select exactly one workload"
    if manifest["spec"].get("maxUnavailable") != 1:
        yield "maxUnavailable is not 1"


def _scaled(manifest: Manifest, manifests: list[Manifest], _known: Known) -> Iterator[str]:
    spec, target = manifest["spec"], manifest["spec"]["scaleTargetRef"]
    least, most = ("minReplicas", "maxReplicas") if "maxReplicas" in spec else ("minReplicaCount", "maxReplicaCount")
    if not 1 <= spec[least] < spec[most]:
        yield f"{least} is less than 1, or is not less than {most}"
    found = [each for each in of_kind(manifests, target["kind"]) if each["metadata"]["name"] == target["name"]]
    if not found:
        yield f"there is no {target['kind']} {target['name']}"
    elif "replicas" in found[0]["spec"]:
        yield f"{name_of(found[0])} sets replicas too, so each `kubectl apply` would undo the scaling"


def _monitor(manifest: Manifest, manifests: list[Manifest], _known: Known) -> Iterator[str]:
    spec = manifest["spec"]
    services = [each for each in of_kind(manifests, "Service") if matches(spec["selector"], each["metadata"]["labels"])]
    if not services:
        yield "selects no service"
    if not spec["endpoints"]:
        yield "has no endpoint to scrape"
    for endpoint in spec["endpoints"]:
        if {"sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "instance"} not in endpoint["relabelings"]:
            yield "the label instance is not the name of the pod"
    for service in services:
        if spec["jobLabel"] not in service["metadata"]["labels"]:
            yield f"{name_of(service)} has no label {spec['jobLabel']}"
        ports = {port["name"] for port in service["spec"]["ports"]}
        yield from (
            f"{name_of(service)} has no port {each['port']}" for each in spec["endpoints"] if each["port"] not in ports
        )


def _pod_monitor(manifest: Manifest, manifests: list[Manifest], _known: Known) -> Iterator[str]:
    for cluster in of_kind(manifests, "Cluster"):
        labels = {"cnpg.io/cluster": cluster["metadata"]["name"]}
        if not matches(manifest["spec"]["selector"], labels):
            yield "does not select the servers"
        if matches(manifest["spec"]["selector"], {**labels, "cnpg.io/poolerName": "x"}):
            yield "selects the poolers too"


def _cluster(manifest: Manifest, manifests: list[Manifest], known: Known) -> Iterator[str]:
    spec = manifest["spec"]
    if spec.get("imageName") not in known.images:
        yield f"{spec.get('imageName')} is not in deploy/images.yaml"
    if not {"username", "password"} <= known.secrets.get(spec["superuserSecret"]["name"], set()):
        yield "the secret of the superuser lacks the username or the password"
    for queries in spec.get("monitoring", {}).get("customQueriesConfigMap", []):
        if not any(each["metadata"]["name"] == queries["name"] and queries["key"] in each["data"]
                   for each in of_kind(manifests, "ConfigMap")):  # fmt: skip
            yield f"there is no {queries['key']} in a ConfigMap {queries['name']}"
    for plugin in spec.get("plugins", []):
        store = plugin["parameters"]["barmanObjectName"]
        if not _has(manifests, "ObjectStore", store):
            yield f"there is no ObjectStore {store}"
    if spec["instances"] > 1 and spec.get("affinity", {}).get("podAntiAffinityType") != "required":
        yield "two servers may run on one node"
    if not spec.get("enableSuperuserAccess"):
        yield "the administrator cannot log in"
    parameters = spec["postgresql"]["parameters"]
    if any(parameters.get(key) != value for key, value in PRIVATE_LOG.items()):
        yield "the log would contain texts and images of queries"
    if "size" not in spec.get("storage", {}):
        yield "the storage has no size"
    owner = [role for role in spec["managed"]["roles"] if role["name"] == spec["bootstrap"]["initdb"]["owner"]]
    if [role.get("login") for role in owner] != [False]:
        yield "the owner of the database can log in"
    resources = spec["resources"]
    if resources["requests"].get("memory") != resources["limits"].get("memory"):
        yield "the request and the limit of memory differ"
    if any(spec["inheritedMetadata"].get(kind, {}) != pairs for kind, pairs in NO_MESH.items()):
        yield "a service mesh would stand between the servers and the operator"


def _pooler(manifest: Manifest, manifests: list[Manifest], _known: Known) -> Iterator[str]:
    name, spec = manifest["metadata"]["name"], manifest["spec"]
    clusters = [each for each in of_kind(manifests, "Cluster") if each["metadata"]["name"] == spec["cluster"]["name"]]
    if not clusters:
        return (yield f"there is no Cluster {spec['cluster']['name']}")
    if name not in clusters[0]["spec"].get("certificates", {}).get("serverAltDNSNames", []):
        yield "the certificate of the server does not have the name of the pooler"
    [container] = spec["template"]["spec"]["containers"]
    if container["name"] != "pgbouncer" or not {"requests", "limits"} <= set(container.get("resources", {})):
        yield "the container is not named pgbouncer, or lacks requests or limits"
    if spec["pgbouncer"].get("poolMode") != "transaction":
        yield "the mode is not transaction"
    metadata = spec["template"]["metadata"]
    if any(metadata.get(kind, {}) != pairs for kind, pairs in NO_MESH.items()):
        yield "a service mesh would stand before the pooler"
    if spec["template"]["spec"].get("enableServiceLinks") is not False:
        yield "enableServiceLinks is not false"


def _backup(manifest: Manifest, manifests: list[Manifest], _known: Known) -> Iterator[str]:
    spec = manifest["spec"]
    clusters = [each for each in of_kind(manifests, "Cluster") if each["metadata"]["name"] == spec["cluster"]["name"]]
    plugins = [plugin["name"] for each in clusters for plugin in each["spec"].get("plugins", [])]
    if spec["pluginConfiguration"]["name"] not in plugins:
        yield "the cluster does not have the plugin"
    if len(spec["schedule"].split()) != 6:
        yield "the schedule does not have six fields"


def _store(manifest: Manifest, _manifests: list[Manifest], known: Known) -> Iterator[str]:
    for credential in manifest["spec"]["configuration"]["s3Credentials"].values():
        if credential["key"] not in known.secrets.get(credential["name"], set()):
            yield f"secret {credential['name']} has no key {credential['key']}"
