"""A site runs with Prometheus and the PostgreSQL exporter. Each panel has data, and the alert for a process fires when
the process stops.

The tests use the exporter of Debian 12, which is older than the exporter in compose.yaml. The older exporter lacks two
groups of metrics, which LATER adds.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from db.embedded.server import Server, binary
from loader.sample import FOLDER
from tests.deploy.test_monitoring import PROMETHEUS, panels
from tests.support.compose.files import seconds
from tests.support.compose.site import Running, Site, running
from tests.support.processes import free_port, wait_until

pytestmark = [pytest.mark.deploy, pytest.mark.soak]

PROGRAMS = {"prometheus": "prometheus", "prometheus-postgres-exporter": "prometheus-postgres-exporter"}
EXPORTER = "prometheus-postgres-exporter"
PRODUCTS = 12
LATER = """
pg_stat_user_tables:
  query: >-
    SELECT current_database() AS datname, schemaname, relname, n_live_tup, n_dead_tup, autovacuum_count,
    pg_indexes_size(relid) AS index_size_bytes FROM pg_stat_user_tables
  metrics:
    - datname: {usage: LABEL}
    - schemaname: {usage: LABEL}
    - relname: {usage: LABEL}
    - n_live_tup: {usage: GAUGE}
    - n_dead_tup: {usage: GAUGE}
    - autovacuum_count: {usage: COUNTER}
    - index_size_bytes: {usage: GAUGE}
pg_replication:
  query: SELECT 0 AS lag_seconds, pg_is_in_recovery()::int AS is_replica
  metrics:
    - lag_seconds: {usage: GAUGE}
    - is_replica: {usage: GAUGE}
"""


class Monitored:
    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self.folder = folder
        self.ports = {name: free_port() for name in ("prometheus", "exporter")}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.targets: dict[str, list[int]] = {}  # job -> the ports of its further processes
        self.alertmanagers: list[int] = []

    def start_exporter(self, name: str = EXPORTER, server: str = "postgres", port: str = "exporter") -> None:
        (self.folder / "queries.yml").write_text(LATER)
        postgres = f"127.0.0.1:{self.site.ports[server]}/windowshop?sslmode=disable"
        given = {**self.site.compose["services"]["postgres-exporter"]["environment"], "DATA_SOURCE_URI": postgres}
        given["DATA_SOURCE_PASS_FILE"] = str(self.site.folder / "volumes" / "monitoring-passwords" / "exporter")
        address = f"--web.listen-address=127.0.0.1:{self.ports[port]}"
        self.start(name, EXPORTER, address, f"--extend.query-path={self.folder}/queries.yml", **given)

    def start_prometheus(self) -> None:
        """Start Prometheus with the committed rules and this machine's addresses. Here, an alert waits a second for
        each minute that it waits in the committed rules."""
        ports = {
            "web": self.site.ports["web metrics"],
            "encoder": self.site.ports["encoder"],
            "jobs": self.site.ports["jobs"],
            "postgres": self.ports["exporter"],
            "prometheus": self.ports["prometheus"],
        }
        config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        addresses = [f"127.0.0.1:{port}" for port in self.alertmanagers]
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": addresses}]}]}
        config["scrape_configs"] = [
            {"job_name": name, "static_configs": [
                {"targets": [f"127.0.0.1:{port}" for port in (ports[name], *self.targets.get(name, []))]}
            ]}
            for name in ports
        ]  # fmt: skip
        assert set(ports) == {job["job_name"] for job in yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())[
            "scrape_configs"]} - {"alertmanager"}  # fmt: skip
        rules = self.folder / "rules"
        shutil.copytree(PROMETHEUS / "rules", rules, dirs_exist_ok=True)
        alerts = yaml.safe_load((rules / "alerts.yml").read_text())
        for rule in (rule for group in alerts["groups"] for rule in group["rules"]):
            rule["for"] = f"{seconds(rule['for']) / 60:.0f}s"
        (rules / "alerts.yml").write_text(yaml.safe_dump(alerts))
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.start(
            "prometheus",
            "prometheus",
            f"--config.file={self.folder}/prometheus.yml",
            f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.ports['prometheus']}",
        )

    def start(self, name: str, *words: str, **environment: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(words, env={**os.environ, **environment}, stdout=log, stderr=log)

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        process = self.processes.pop(name)
        process.send_signal(how)
        process.wait(60)

    def query(self, expression: str) -> list[dict[str, Any]]:
        address = f"http://127.0.0.1:{self.ports['prometheus']}/api/v1/query"
        try:
            answer = httpx.post(address, data={"query": expression}, timeout=60)
        except httpx.TransportError:
            return []
        assert answer.status_code in (200, 503), answer.text
        return list(answer.json()["data"]["result"]) if answer.status_code == 200 else []

    def firing(self) -> set[str]:
        return {one["metric"]["alertname"] for one in self.query('ALERTS{alertstate="firing"}')}


@pytest.fixture(scope="module")
def monitored(public_folder: Path, server: Server, server_home: Path) -> Iterator[Monitored]:
    if missing := [package for program, package in PROGRAMS.items() if shutil.which(program) is None]:
        pytest.skip(f"needs Debian's packages {', '.join(missing)}")
    folder = public_folder / "monitored"
    (folder / "monitoring").mkdir(parents=True)
    path, environment = binary(server_home, "postgres")
    with running(folder, (path.parent, environment)) as site:
        done = site.run("exporter-login")
        assert done.returncode == 0, done.stderr
        monitored = Monitored(site, folder / "monitoring")
        try:
            monitored.start_exporter()
            monitored.start_prometheus()
            _use(site)
            yield monitored
        finally:
            for program in list(monitored.processes):
                monitored.stop(program)


def _use(site: Site) -> None:
    """Load products, and search for new and repeated texts."""
    lines = (FOLDER / "products.csv").read_text(encoding="utf-8").splitlines()
    file = site.folder / "volumes" / "catalog" / "products.csv"
    file.write_text("\n".join(lines[: PRODUCTS + 1]) + "\n", encoding="utf-8")
    loaded = site.run("cli", "load", "/catalog/products.csv", "--image-root", str(FOLDER))
    assert loaded.returncode == 0, loaded.stderr
    created = site.run("admin", "key", "create", "monitoring")
    assert created.returncode == 0, created.stderr
    key = {"Authorization": f"Bearer {created.stdout.strip()}"}
    with httpx.Client(base_url=site.address, headers=key, timeout=60) as client:
        for number in range(10):
            for query in ("something to sit on", f"a table for {number} people"):
                body = {"query": query, "top_k": 2 * PRODUCTS}
                assert client.post("/search/text", json=body).status_code == 200
        for _ in range(200):  # 1 of 20 searches is timed by leg
            assert client.post("/search/text", json={"query": "something to sit on"}).status_code == 200


def test_each_query_of_each_panel_gives_a_result(monitored: Monitored) -> None:
    for name, query in panels():
        wait_until(lambda query=query: monitored.query(query), 120, f"a result of {name}: {query}")


def test_without_a_fault_no_alert_fires(monitored: Monitored) -> None:
    wait_until(lambda: monitored.query("windowshop_encoder_running == 1"), 120, "a running encoder")
    wait_until(lambda: not monitored.firing(), 120, "no alert")


@pytest.mark.parametrize(
    ("service", "expected"), [("encoder", {"NoEncoder"}), ("web", {"WebDown"}), ("jobs", {"JobsDown"})]
)
def test_a_stopped_process_fires_its_alert_and_no_other_until_it_runs_again(
    monitored: Monitored, service: str, expected: set[str]
) -> None:
    one: Running = next(one for one in monitored.site.running if one.name == service)
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(60) == 0
    monitored.site.running.remove(one)
    wait_until(lambda: monitored.firing() == expected, 180, f"the alert {expected}")
    monitored.site.start_again(service)
    wait_until(lambda: not monitored.firing(), 180, "no alert")


def test_a_stopped_exporter_fires_one_alert(monitored: Monitored) -> None:
    monitored.stop("prometheus-postgres-exporter")
    wait_until(lambda: monitored.firing() == {"DatabaseDown"}, 180, "the alert DatabaseDown")
    monitored.start_exporter()
    wait_until(lambda: not monitored.firing(), 180, "no alert")
