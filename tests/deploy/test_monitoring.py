"""The configuration of Prometheus and Alertmanager is valid. Every alert has a runbook, a case in which it fires, and a
case in which it does not fire."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from encoder.metrics import EncoderMetrics
from tests.deploy.alert_cases import CASES, Series
from tests.support.compose.files import ROOT
from web.http.metrics import Metrics as WebMetrics

pytestmark = pytest.mark.deploy

MONITORING = ROOT / "deploy" / "monitoring"
PROMETHEUS = MONITORING / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
DASHBOARDS = sorted((MONITORING / "grafana" / "dashboards").glob("*.json"))
ALERTMANAGER = MONITORING / "alertmanager" / "alertmanager.yml"
RUNBOOKS = ROOT / "docs" / "runbooks"
SECTIONS = ["Meaning", "First query", "Fix", "Prevention"]

# Metrics of other programs. The PostgreSQL exporter defines its metrics in the folder collector/ of its source code.
OTHERS = {
    "ALERTS", "up", "process_resident_memory_bytes", "process_cpu_seconds_total",
    "pg_database_size_bytes", "pg_replication_is_replica", "pg_replication_lag_seconds", "pg_settings_max_connections",
    "pg_stat_archiver_failed_count", "pg_stat_activity_count", "pg_stat_activity_max_tx_duration",
    "pg_stat_database_blks_hit",
    "pg_stat_database_blks_read", "pg_stat_database_deadlocks", "pg_stat_database_temp_bytes",
    "pg_stat_database_xact_commit", "pg_stat_database_xact_rollback", "pg_stat_user_tables_autovacuum_count",
    "pg_stat_user_tables_index_size_bytes", "pg_stat_user_tables_n_dead_tup", "pg_stat_user_tables_n_live_tup", "pg_up",
}  # fmt: skip
# Only a running process with a database has these metrics, so `known_metrics` cannot collect them. They are tested in
# tests/web/test_metrics.py, tests/encoder/test_probes.py and tests/jobs/test_jobs_metrics.py.
COLLECTED = {
    "windowshop_encoder_running", "windowshop_encoder_waiting", "windowshop_encoder_quarantined",
    "windowshop_encoder_encoded_total", "windowshop_encoder_failed_total", "windowshop_work_oldest_seconds",
    "windowshop_work_waiting", "windowshop_work_quarantined", "windowshop_primary_answers", "windowshop_jobs_ready",
    "windowshop_feed_loads_total", "windowshop_feeds", "windowshop_feeds_failed", "windowshop_feeds_late_seconds",
}  # fmt: skip

Run = Callable[..., subprocess.CompletedProcess[str]]


def tool(name: str, package: str) -> Run:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed; it is in Debian's package {package}")

    def run(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [path, *(str(word) for word in words)]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.fixture(scope="module")
def promtool() -> Run:
    return tool("promtool", "prometheus")


@cache
def rules() -> list[dict[str, Any]]:
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def panels() -> Iterator[tuple[str, str]]:
    """Yield a name and a query for each query of each panel, with the variables of Grafana replaced."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                expression = target["expr"].replace("$__rate_interval", "1m")
                yield f"{path.stem}: {panel['title']}", re.sub(r"\$\w+", ".*", expression)


def metrics_in(expression: str) -> set[str]:
    """Return the names of the metrics that a PromQL expression reads."""
    without = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|\b(by|on|without|ignoring)\s*\([^)]*\)', " ", expression)
    names = set(re.findall(r"(?<![\w:.])[a-zA-Z_][\w:]*", without))
    functions = set(re.findall(r"([a-z_\d]+)\s*\(", without)) | {"and", "or", "unless", "bool", "by", "on", "e"}
    return names - functions - {"sum", "max", "min", "count", "topk", "avg"}


@cache
def known_metrics() -> set[str]:
    found = set(OTHERS | COLLECTED) | {rule["record"] for rule in rules() if "record" in rule}
    for registry in (WebMetrics().registry, EncoderMetrics().registry):
        for family in registry.collect():
            kinds = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "info": ("_info",)}
            found |= {family.name + suffix for suffix in kinds.get(family.type, ("",))}
    return found


# --- configuration


def test_promtool_accepts_the_configuration(promtool: Run) -> None:
    done = promtool("check", "config", PROMETHEUS / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("prometheus.yml", "scrape_interval: 15s", "scrape_interval: often"),
        ("rules/alerts.yml", "expr: sum(up{job=", "expr: sum(up{job~"),
        ("rules/alerts.yml", "$value | humanizeDuration", "$value | humanizeLength"),
    ],
)
def test_promtool_refuses_a_deliberate_fault(promtool: Run, tmp_path: Path, file: str, old: str, new: str) -> None:
    shutil.copytree(PROMETHEUS, tmp_path / "prometheus")
    faulty = tmp_path / "prometheus" / file
    assert old in faulty.read_text()
    faulty.write_text(faulty.read_text().replace(old, new))
    assert promtool("check", "config", tmp_path / "prometheus" / "prometheus.yml").returncode != 0


def test_amtool_accepts_the_configuration_and_refuses_an_unknown_receiver(tmp_path: Path) -> None:
    amtool = tool("amtool", "prometheus-alertmanager")
    done = amtool("check-config", ALERTMANAGER)
    assert done.returncode == 0, done.stdout + done.stderr
    faulty = tmp_path / "alertmanager.yml"
    faulty.write_text(ALERTMANAGER.read_text().replace("receiver: operators", "receiver: nobody"))
    assert amtool("check-config", faulty).returncode != 0


def test_inhibitions_name_existing_alerts() -> None:
    for rule in yaml.safe_load(ALERTMANAGER.read_text())["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            assert set(re.split(r"\s*=~?\s*", matcher, maxsplit=1)[1].split("|")) <= set(alerts())


# --- alerts


def unit_test(alert: str, series: Series, minutes: int, firing: int) -> dict[str, Any]:
    samples = [{"labels": "{}", "value": firing}] if firing else []
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})',
                "eval_time": f"{minutes}m",
                "exp_samples": samples,
            }
        ],
    }


def run_unit_tests(promtool: Run, folder: Path, tests: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    path = folder / "test.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(rule) for rule in RULES], "tests": tests}))
    return promtool("test", "rules", path)


def test_every_alert_has_a_case() -> None:
    assert set(CASES) == set(alerts())


def test_every_alert_fires_in_its_firing_case_and_not_in_its_quiet_case(promtool: Run, tmp_path: Path) -> None:
    fires = [unit_test(alert, case.fires, case.minutes, 1) for alert, case in CASES.items()]
    quiet = [unit_test(alert, case.quiet, case.minutes, 0) for alert, case in CASES.items()]
    done = run_unit_tests(promtool, tmp_path, fires + quiet)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_names_each_alert_that_does_not_fire_as_expected(promtool: Run, tmp_path: Path) -> None:
    swapped = [unit_test(alert, case.quiet, case.minutes, 1) for alert, case in CASES.items()]
    done = run_unit_tests(promtool, tmp_path, swapped)
    assert done.returncode != 0
    assert [alert for alert in CASES if alert not in done.stdout + done.stderr] == []


@pytest.mark.parametrize("alert", alerts())
def test_an_alert_has_a_severity_a_summary_and_a_runbook(alert: str) -> None:
    rule = alerts()[alert]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook"] == f"docs/runbooks/{alert}.md"
    text = (RUNBOOKS / f"{alert}.md").read_text()
    assert text.startswith(f"# {alert}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert f"[{alert}]({alert}.md)" in (RUNBOOKS / "README.md").read_text()


def test_every_runbook_belongs_to_an_alert_and_its_links_exist() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == set(alerts())
    for path in RUNBOOKS.glob("*.md"):
        for link, anchor in re.findall(r"\]\(([^)#]+)(?:#([^)]*))?\)", path.read_text()):
            target = path.parent / link
            assert target.exists(), f"{path.name}: {link}"
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert not anchor or anchor in anchors, f"{path.name}: {link}#{anchor}"


# --- queries


def test_rules_and_dashboards_read_only_metrics_that_exist() -> None:
    queries = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules()] + list(panels())
    assert len(queries) > 60
    assert {(name, metric) for name, query in queries for metric in metrics_in(query) - known_metrics()} == set()


def test_an_unknown_metric_is_noticed() -> None:
    assert metrics_in('sum by (le) (rate(windowshop_serch_seconds_bucket{kind="text"}[5m])) > 1') - known_metrics() == {
        "windowshop_serch_seconds_bucket"
    }


def test_every_query_of_a_dashboard_and_of_a_runbook_is_valid_promql(promtool: Run, tmp_path: Path) -> None:
    queries = [query for _, query in panels()]
    for path in RUNBOOKS.glob("*.md"):
        queries += re.findall(r"```promql\n(.*?)```", path.read_text(), re.DOTALL)
    path = tmp_path / "queries.yml"

    def check(expressions: list[str]) -> subprocess.CompletedProcess[str]:
        named = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(expressions)]
        path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": named}]}))
        return promtool("check", "rules", "--lint=none", path)

    done = check(queries)
    assert done.returncode == 0, done.stdout + done.stderr
    assert check([*queries, "rate(up)"]).returncode != 0


def test_each_of_five_dashboards_has_its_uid_its_data_source_and_distinct_panel_ids() -> None:
    assert len(DASHBOARDS) == 5
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text())
        assert dashboard["uid"] == path.stem
        assert all(target["datasource"]["uid"] == "prometheus" for panel in dashboard["panels"]
                   for target in panel["targets"])  # fmt: skip
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(ids) == len(set(ids))
