"""The network policies of deploy/kubernetes allow each needed connection and no other."""

import pytest

from tests.deploy.test_kubernetes import Change
from tests.support.kubernetes.manifests import OVERLAYS, one, overlay
from tests.support.kubernetes.network import connections

pytestmark = pytest.mark.deploy

# Connections to the DNS server, whose policy is called "names".
NAMES = {f"{pod} -> names {protocol} 53" for protocol in ("UDP", "TCP")
         for pod in ("web", "encoder", "jobs", "migrate", "toolbox", "database")}  # fmt: skip
API_SERVER = {f"database -> {where} TCP {port}" for where in ("internet", "private address") for port in (443, 6443)}
ALWAYS = NAMES | API_SERVER | {
    "ingress -> web TCP 8000",
    "prometheus -> web TCP 9464",
    "prometheus -> encoder TCP 9465",
    "prometheus -> database TCP 9187",
    "operator -> database TCP 5432",
    "operator -> database TCP 8000",
    "database -> database TCP 5432",
    "database -> database TCP 8000",
    "encoder -> database TCP 5432",
    "encoder -> internet TCP 80",
    "encoder -> internet TCP 443",
    "prometheus -> jobs TCP 9466",
    "jobs -> database TCP 5432",
    "jobs -> internet TCP 80",
    "jobs -> internet TCP 443",
    "migrate -> database TCP 5432",
    "toolbox -> database TCP 5432",
    "toolbox -> internet TCP 80",
    "toolbox -> internet TCP 443",
}  # fmt: skip
POOLED = {
    f"pooler {kind} -> {target}"
    for kind in ("rw", "ro")
    for target in ("database TCP 5432", "names TCP 53", "names UDP 53", "internet TCP 443", "internet TCP 6443",
                   "private address TCP 443", "private address TCP 6443")
} | {"web -> pooler rw TCP 5432", "web -> pooler ro TCP 5432"}  # fmt: skip
NEEDED = {
    "small": ALWAYS | {"web -> database TCP 5432"},
    "gpu": ALWAYS | {"web -> database TCP 5432"},
    "ha": ALWAYS | POOLED,
}


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_network_policies_allow_each_needed_connection_and_no_other(name: str) -> None:
    assert connections(overlay(name)) == NEEDED[name]


POLICY_FAULTS: dict[str, tuple[Change, set[str]]] = {
    "a policy without a port": (
        lambda m: one(m, "NetworkPolicy", "web")["spec"]["ingress"][0].pop("ports"),
        {f"ingress -> web TCP {port}" for port in (53, 80, 443, 5432, 6443, 9127, 9187, 9464, 9465, 9466)}
        | {"ingress -> web UDP 53"},
    ),
    "an entry without a port": (
        lambda m: one(m, "NetworkPolicy", "migrate")["spec"]["egress"][0].update(ports=[{"protocol": "TCP"}]),
        set(),  # nothing changes, because the policy of the database itself allows no other port
    ),
    "a range of ports": (
        lambda m: one(m, "NetworkPolicy", "encoder")["spec"]["egress"][1].update(
            ports=[{"protocol": "TCP", "port": 443, "endPort": 8000}]
        ),
        {f"encoder -> internet TCP {port}" for port in (80, 5432, 6443, 8000)},
    ),
    "a source from every namespace": (
        lambda m: one(m, "NetworkPolicy", "web")["spec"]["ingress"][0].update(ports=[{"port": 8000}], **{"from": [
            {"namespaceSelector": {}}]}),
        {"stranger -> web TCP 8000", "prometheus -> web TCP 8000", "operator -> web TCP 8000", "names -> web TCP 8000"},
    ),
    "a port name that no pod has": (
        lambda m: one(m, "NetworkPolicy", "encoder")["spec"]["ingress"][0]["ports"][0].update(port="metrics"),
        {"prometheus -> encoder TCP 9465"},
    ),
    "no policy for the names of services": (lambda m: m.remove(one(m, "NetworkPolicy", "names")), NAMES),
    "private addresses besides the internet": (
        lambda m: one(m, "NetworkPolicy", "encoder")["spec"]["egress"][1]["to"][0]["ipBlock"].pop("except"),
        {"encoder -> private address TCP 80", "encoder -> private address TCP 443"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", POLICY_FAULTS)
def test_a_changed_network_policy_changes_the_connections(fault: str) -> None:
    change, expected = POLICY_FAULTS[fault]
    manifests = overlay("small")
    change(manifests)
    assert connections(manifests) ^ NEEDED["small"] == expected
