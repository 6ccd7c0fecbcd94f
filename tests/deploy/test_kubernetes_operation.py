"""The manifests in deploy/kubernetes fit the processes: secrets, autoscaling, monitoring, and how a process starts."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg.rows import dict_row
from sqlalchemy import make_url

from db import addresses
from db.embedded.server import Server, secrets
from db.engine import Database
from db.roles import LOGINS, Role
from db.settings import EnvironmentSettings
from deploy.kubernetes.create_secrets import main as create_secrets
from deploy.kubernetes.generate import manifests as generated
from deploy.kubernetes.generate import text
from tests.deploy.test_monitoring import COLLECTED, PROMETHEUS, Run, metrics_in, panels, rules, tool
from tests.support.compose.files import CONTAINERFILE, ROOT
from tests.support.kubernetes.manifests import KUBERNETES, one, overlay, pods
from tests.test_settings import CLASSES
from web.http.metrics import Metrics as WebMetrics
from web.settings import WebSettings

pytestmark = pytest.mark.deploy

WAIT = ROOT / "deploy" / "wait.py"


def read(path: str) -> Any:
    return yaml.safe_load((KUBERNETES / path).read_text(encoding="utf-8"))


# --- generated manifests


def test_generated_manifests_are_up_to_date() -> None:
    stale = [path.name for path, manifest in generated().items() if path.read_text() != text(manifest)]
    assert stale == [], "run deploy/kubernetes/generate.py"


def test_kubernetes_has_the_rules_of_prometheus() -> None:
    groups = [group for path in sorted((PROMETHEUS / "rules").glob("*.yml"))
              for group in yaml.safe_load(path.read_text())["groups"]]  # fmt: skip
    assert len(groups) >= 5
    for name in ("gpu", "ha"):
        assert one(overlay(name), "PrometheusRule", "windowshop")["spec"]["groups"] == groups


def test_a_changed_rule_of_prometheus_changes_the_generated_manifest(tmp_path: Path) -> None:
    """The script runs in a partial copy of deploy/, whose rules of Prometheus have `for: 3m` in place of `for: 2m`."""
    deploy = tmp_path / "deploy"
    for path in (ROOT / "deploy" / "monitoring" / "prometheus" / "rules").glob("*.yml"):
        copy = deploy / path.relative_to(ROOT / "deploy")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text().replace("for: 2m", "for: 3m"))
    for name in ("images.yaml", "kubernetes/generate.py"):
        (deploy / name).parent.mkdir(exist_ok=True)
        (deploy / name).write_text((ROOT / "deploy" / name).read_text())
    for name in ("base", "components/monitoring"):
        (deploy / "kubernetes" / name).mkdir(parents=True)
    subprocess.run([sys.executable, deploy / "kubernetes" / "generate.py"], check=True, timeout=60)
    changed = (deploy / "kubernetes" / "components" / "monitoring" / "rules.yaml").read_text()
    committed = (KUBERNETES / "components" / "monitoring" / "rules.yaml").read_text()
    assert changed != committed
    assert changed == committed.replace("for: 2m", "for: 3m")


# --- secrets and settings


def test_each_login_has_one_random_password_in_all_secrets() -> None:
    first, second = ({each["metadata"]["name"]: each["stringData"] for each in create_secrets()["items"]}
                     for _ in range(2))  # fmt: skip
    logins = first["windowshop-logins"]
    assert set(logins) == set(LOGINS) - {Role.GATEWAY}
    assert min(map(len, logins.values())) >= 32
    expected = {f"shop_{login}": password for login, password in logins.items()} | {
        "postgres": first["windowshop-administrator"]["password"]
    }
    assert len(set(expected.values())) == len(expected)
    assert not set(expected.values()) & set(second["windowshop-logins"].values())
    urls = [addresses.parse(key, value, writes=key == "database_url") for secret in first.values()
            for key, value in secret.items() if key.endswith("database_url")]  # fmt: skip
    assert len(urls) == 8
    for url in urls:
        assert url.password == expected[str(url.username)]
        assert (url.database, url.query["sslmode"]) == ("windowshop", "verify-full")


def test_the_secrets_are_printed_for_kubectl() -> None:
    done = subprocess.run(
        [sys.executable, KUBERNETES / "create_secrets.py"], check=True, capture_output=True, text=True
    )
    assert {each["kind"] for each in yaml.safe_load(done.stdout)["items"]} == {"Secret"}


def test_the_settings_of_the_site_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    path = KUBERNETES / "base" / "windowshop.toml"
    monkeypatch.setenv("WINDOWSHOP_CONFIG", str(path))
    kinds: list[type[EnvironmentSettings]] = list(CLASSES.values())
    origins = [origin for kind in kinds for origin in (kind.read(), kind.origins())[1].values()]
    assert origins.count(str(path)) == 5


# --- autoscaling


def test_the_web_service_exports_the_metric_of_its_autoscaler(promtool: Run, tmp_path: Path) -> None:
    [rule] = read("adapter/values.yaml")["rules"]["custom"]
    [metric] = one(overlay("gpu"), "HorizontalPodAutoscaler", "windowshop-web")["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    series = rule["seriesQuery"].partition("{")[0]
    assert series in {family.name for family in WebMetrics().registry.collect()}
    query = rule["metricsQuery"]
    for template, value in {"Series": series, "LabelMatchers": 'namespace="windowshop"', "GroupBy": "pod"}.items():
        query = query.replace(f"<<.{template}>>", value)
    assert valid(promtool, tmp_path, query)
    assert not valid(promtool, tmp_path, query.replace("[2m]", ""))


def test_an_encoder_exports_the_metric_of_its_autoscaler(promtool: Run, tmp_path: Path) -> None:
    for name in ("gpu", "ha"):
        spec = one(overlay(name), "ScaledObject", "windowshop-encoder")["spec"]
        [trigger] = spec["triggers"]
        assert metrics_in(trigger["metadata"]["query"]) == {"windowshop_work_oldest_seconds"} <= COLLECTED
        assert valid(promtool, tmp_path, trigger["metadata"]["query"])
        # KEDA's fallback works only with this type. The number of encoders is then the age of the oldest work item
        # divided by the threshold.
        assert trigger["metricType"] == "AverageValue"
        assert spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]


@pytest.fixture(scope="module")
def promtool() -> Run:
    return tool("promtool", "prometheus")


def valid(promtool: Run, folder: Path, query: str) -> bool:
    path = folder / "query.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "query", "rules": [{"record": "query", "expr": query}]}]}))
    return promtool("check", "rules", "--lint=none", path).returncode == 0


@pytest.mark.parametrize("name", ["gpu", "ha"])
def test_the_largest_number_of_pods_does_not_exceed_the_limits_of_the_logins(name: str) -> None:
    """`db upgrade` gives each login a share of the server's connections (`db/roles.py`)."""
    manifests = overlay(name)
    parameters = one(manifests, "Cluster", "windowshop-db")["spec"]["postgresql"]["parameters"]
    limit = {role: int((int(parameters["max_connections"]) - 3) * LOGINS[role].share) for role in LOGINS}
    encoders = one(manifests, "ScaledObject", "windowshop-encoder")["spec"]["maxReplicaCount"]
    assert encoders * 8 <= limit[Role.ENCODER]
    if name == "gpu":
        web = one(manifests, "HorizontalPodAutoscaler", "windowshop-web")["spec"]["maxReplicas"]
        connections = WebSettings.model_fields["connections"].default
        assert web * (connections + 1) <= limit[Role.WEB_READER]
        assert web * (max(2, connections // 2) + 1) <= limit[Role.WEB_WRITER]
    else:
        for kind, role in (("rw", Role.WEB_WRITER), ("ro", Role.WEB_READER)):
            pooler = one(manifests, "Pooler", f"windowshop-pooler-{kind}")["spec"]
            size = int(pooler["pgbouncer"]["parameters"]["default_pool_size"])
            assert pooler["instances"] * size <= limit[role]


# --- monitoring of the database

QUERIES = yaml.safe_load(read("components/monitoring/queries.yaml")["data"]["queries.yaml"])


def wrong_queries(database: Database, queries: dict[str, Any]) -> list[str]:
    """Return the names of the queries that fail or return no row, or whose columns or types are not those of their
    metrics.

    As CloudNativePG does, this function runs the queries in a read-only transaction, as a member of pg_monitor.
    """
    url = database.write.set(drivername="postgresql").render_as_string(hide_password=False)
    wrong = []
    with psycopg.connect(url, row_factory=dict_row, autocommit=True) as conn:
        conn.execute("set role pg_monitor")
        conn.execute("set default_transaction_read_only = on")
        for name, query in queries.items():
            usage = {column: how["usage"] for metric in query["metrics"] for column, how in metric.items()}
            kinds = {column: str if kind == "LABEL" else int | float for column, kind in usage.items()}
            try:
                rows = conn.execute(query["query"]).fetchall()
            except psycopg.Error:
                rows = []
            fits = [
                row.keys() == kinds.keys() and all(isinstance(row[key], kinds[key]) for key in kinds) for row in rows
            ]
            if not fits or not all(fits):
                wrong.append(name)
    return wrong


def test_the_monitoring_queries_return_the_columns_of_their_metrics(database: Database) -> None:
    assert wrong_queries(database, QUERIES) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("AS max_connections", "AS connections"),
        ("current_setting('max_connections')::int", "current_setting('max_connections')"),
        ("current_setting('max_connections')", "current_setting('most_connections')"),
        ("AS max_connections", "AS max_connections WHERE false"),
    ],
)
def test_a_deliberate_fault_in_a_query_is_named(old: str, new: str, database: Database) -> None:
    query = QUERIES["shop_pg_settings"]
    assert old in query["query"]
    faulty = {**QUERIES, "shop_pg_settings": {**query, "query": query["query"].replace(old, new)}}
    assert wrong_queries(database, faulty) == ["shop_pg_settings"]


def test_kubernetes_has_every_metric_of_the_database_that_rules_and_dashboards_read() -> None:
    monitors = {each["kind"]: each for each in yaml.safe_load_all(
        (KUBERNETES / "components" / "monitoring" / "monitors.yaml").read_text())}  # fmt: skip
    [endpoint] = monitors["PodMonitor"]["spec"]["podMetricsEndpoints"]
    [rename] = endpoint["metricRelabelings"]
    prefix = "cnpg_shop_"
    assert (rename["regex"], rename["replacement"]) == (f"{prefix}(pg_.+)", "$1")
    exported = {
        f"cnpg_{name}_{column}".removeprefix(prefix)
        for name, query in QUERIES.items()
        for metric in query["metrics"]
        for column, how in metric.items()
        if how["usage"] != "LABEL"
    }
    queries = [rule["expr"] for rule in rules()] + [query for _, query in panels()]
    read_there = {name for query in queries for name in metrics_in(query) if name.startswith("pg_")}
    assert len(read_there) > 15
    assert read_there - exported == set()
    jobs = {job for query in queries for job in ("web", "encoder", "postgres") if f'job="{job}"' in query}
    labels = {each["metadata"]["labels"]["app.kubernetes.io/component"] for each in overlay("gpu")
              if each["kind"] == "Service"}  # fmt: skip
    assert jobs <= labels | {endpoint["relabelings"][0]["replacement"]}


# --- the start of a process


def test_the_images_contain_the_scripts_that_the_manifests_run() -> None:
    scripts = {script for each in pods(overlay("ha")) for container in each.containers
               for script in re.findall(r"/opt/deploy/(\S+)", " ".join(container.get("args", [])))}  # fmt: skip
    assert scripts == {"wait.py"}
    for script in scripts:
        assert re.search(rf"^COPY .*\bdeploy/{script}\b.* /opt/deploy/$", CONTAINERFILE.read_text(), re.MULTILINE)
        assert f"!deploy/{script}\n" in (ROOT / "deploy" / "Containerfile.dockerignore").read_text()


def wait(what: str, seconds: float, database_url: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WINDOWSHOP_")}
    environment |= {"WINDOWSHOP_DATABASE_URL": database_url, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, WAIT, what, str(seconds)],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_process_waits_for_the_schema_but_the_migration_waits_only_for_the_database(
    database: Database, server: Server, server_home: Path
) -> None:
    url = database.write.set(drivername="postgresql")
    ready = wait("schema", 60, url.render_as_string(hide_password=False))
    assert (ready.returncode, ready.stderr) == (0, "")
    empty = url.set(database="postgres").render_as_string(hide_password=False)
    assert wait("database", 60, empty).returncode == 0
    late = wait("schema", 3, empty)
    assert late.returncode == 1
    assert late.stderr.count("waiting: database postgres has no Windowshop schema\n") == 1
    assert late.stderr.endswith("error: database postgres has no Windowshop schema\n")
    away = wait("database", 0, make_url(empty).set(port=1).render_as_string(hide_password=False))
    assert away.returncode == 1
    assert secrets(server_home).superuser not in away.stderr
