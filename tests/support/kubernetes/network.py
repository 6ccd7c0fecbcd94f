"""Finds the connections that the network policies of an overlay allow, by the rules of Kubernetes.

A policy selects pods, and is for one or both directions, ingress and egress. If policies for a direction select a pod,
the pod may have only those connections in this direction that at least one of these policies allows. Both ends must
allow a connection. Pods in other namespaces have no policies here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from tests.support.kubernetes.manifests import Manifest, matches, of_kind, pods

CANDIDATES = ("UDP 53", *(f"TCP {port}" for port in (53, 80, 443, 5432, 6443, 8000, 9127, 9187, 9464, 9465, 9466)))


@dataclass(frozen=True)
class End:
    """A kind of pods, or an address outside the cluster."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: Mapping[str, str] | None = None  # labels of its namespace; None stands for our namespace
    ports: Mapping[str, int] = field(default_factory=dict)
    address: str | None = None

    @property
    def is_ours(self) -> bool:
        return self.namespace is None and self.address is None


def named(namespace: str, **labels: str) -> dict[str, str]:
    return {"kubernetes.io/metadata.name": namespace, **labels}


ELSEWHERE = (
    End("ingress", namespace=named("ingress-nginx", **{"windowshop-ingress": "true"})),
    End("prometheus", namespace=named("monitoring")),
    End("operator", {"app.kubernetes.io/name": "cloudnative-pg"}, named("cnpg-system")),
    End("names", {"k8s-app": "kube-dns"}, named("kube-system")),
    End("stranger", {"app.kubernetes.io/name": "windowshop", "app.kubernetes.io/component": "web"}, named("other")),
    End("internet", address="203.0.113.10"),
    End("private address", address="10.20.30.40"),
)


def ends(manifests: list[Manifest]) -> list[End]:
    found = [End(pod.labels["app.kubernetes.io/component"], pod.labels, ports=pod.ports) for pod in pods(manifests)]
    for cluster in of_kind(manifests, "Cluster"):
        labels = {"cnpg.io/cluster": cluster["metadata"]["name"], "cnpg.io/podRole": "instance"}
        found.append(End("database", labels))
    for pooler in of_kind(manifests, "Pooler"):
        # Some versions of the operator label the pods of a pooler with the cluster too.
        labels = {"cnpg.io/cluster": pooler["spec"]["cluster"]["name"], "cnpg.io/podRole": "pooler"}
        found.append(
            End(f"pooler {pooler['spec']['type']}", {**labels, "cnpg.io/poolerName": pooler["metadata"]["name"]})
        )
    return [*found, *ELSEWHERE]


def connections(manifests: list[Manifest]) -> set[str]:
    """Return every allowed connection with an end in our namespace, as `web -> database TCP 5432`."""
    policies = of_kind(manifests, "NetworkPolicy")
    everyone = ends(manifests)
    return {
        f"{source.name} -> {target.name} {port}"
        for source in everyone
        for target in everyone
        if source.is_ours or target.is_ours
        for port in CANDIDATES
        if _allows(policies, "Egress", source, target, target, port)
        and _allows(policies, "Ingress", target, source, target, port)
    }


def _allows(policies: list[Manifest], direction: str, one: End, other: End, target: End, port: str) -> bool:
    """Return whether the policies of `one` allow the connection with `other` to `port` of `target`."""
    if not one.is_ours:
        return True
    selecting = [
        policy["spec"]
        for policy in policies
        if direction in policy["spec"]["policyTypes"] and matches(policy["spec"]["podSelector"], one.labels)
    ]
    return not selecting or any(
        _has_peer(rule, "to" if direction == "Egress" else "from", other) and port in _ports(rule, target)
        for spec in selecting
        for rule in spec.get(direction.lower(), [])
    )


def _ports(rule: Mapping[str, Any], target: End) -> Iterator[str]:
    """Yield those of CANDIDATES that a rule allows as ports of `target`. An entry without a port allows every port of
    its protocol."""
    for entry in rule.get("ports", [{"protocol": "TCP"}, {"protocol": "UDP"}]):
        protocol, first = entry.get("protocol", "TCP"), entry.get("port")
        if isinstance(first, str):
            first = target.ports.get(first, -1)
        for candidate in CANDIDATES:
            kind, number = candidate.split()
            if kind == protocol and (first is None or first <= int(number) <= entry.get("endPort", first)):
                yield candidate


def _has_peer(rule: Mapping[str, Any], key: str, other: End) -> bool:
    return key not in rule or any(_is(peer, other) for peer in rule[key])


def _is(peer: Mapping[str, Any], other: End) -> bool:
    if "ipBlock" in peer:
        if other.address is None:
            return False
        address, block = ip_address(other.address), peer["ipBlock"]
        excluded = any(address in ip_network(network) for network in block.get("except", []))
        return address in ip_network(block["cidr"]) and not excluded
    if other.address is not None:
        return False
    if "namespaceSelector" in peer:
        in_namespace = matches(peer["namespaceSelector"], other.namespace or named("windowshop"))
    else:
        in_namespace = other.is_ours
    return in_namespace and matches(peer.get("podSelector", {}), other.labels)
