"""A site runs with a standby, exporters, Prometheus and Alertmanager. Its processes are killed in turn.

Alertmanager sends the expected alerts and tells when they are over. Other alerts are not sent, except JobsDown after
the database was down. /ready tells the state of the site.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from db.embedded.server import Server, binary
from tests.deploy.test_live_monitoring import PROGRAMS, Monitored, _use
from tests.deploy.test_monitoring import ALERTMANAGER, tool
from tests.support.compose.site import running
from tests.support.postgres.cluster import Cluster
from tests.support.processes import free_port, wait_until

pytestmark = [pytest.mark.deploy, pytest.mark.soak]

WAIT = 180.0  # largest number of seconds of a wait; a busy machine needs this long
QUIET_SECONDS = 15.0  # time after the expected alerts in which no other alert may arrive


class Sink:
    """Receives what Alertmanager sends, and keeps the names of the alerts that fire now."""

    def __init__(self) -> None:
        self.firing: set[str] = set()
        self.all: set[str] = set()  # the names of all alerts that have fired since the last `clear`
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in content["alerts"]:
                    sink.take(alert["labels"]["alertname"], alert["status"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, name: str, status: str) -> None:
        if status == "firing":
            self.firing.add(name)
            self.all.add(name)
        else:
            self.firing.discard(name)

    def clear(self) -> None:
        self.all.clear()


class Whole:
    """The site with its standby, its monitoring and the receiver of its alerts. `kill` and `start` take the name of a
    process."""

    def __init__(self, monitored: Monitored, standby: Cluster, sink: Sink) -> None:
        self.monitored, self.standby, self.sink = monitored, standby, sink

    def start_alertmanager(self) -> None:
        """Start with the committed configuration, but with waits of 1 s, and with the sink as receiver."""
        folder = self.monitored.folder
        config = yaml.safe_load(ALERTMANAGER.read_text())
        config["route"] |= {"group_wait": "1s", "group_interval": "1s"}
        url = f"http://127.0.0.1:{self.sink.server.server_port}"
        config["receivers"] = [{"name": "operators", "webhook_configs": [{"url": url, "send_resolved": True}]}]
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
        self.monitored.start(
            "alertmanager",
            "prometheus-alertmanager",
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/alertmanager",
            f"--web.listen-address=127.0.0.1:{self.monitored.alertmanagers[0]}",
            "--cluster.listen-address=",
        )

    def kill(self, name: str) -> None:
        if name in self.monitored.processes:
            self.monitored.stop(name, signal.SIGKILL)
        elif name == "standby":
            pid = int((self.standby.data / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGKILL)
        else:
            one = next(one for one in self.monitored.site.running if one.name == name)
            one.process.kill()
            one.process.wait(60)
            self.monitored.site.running.remove(one)
        time.sleep(2)  # the children of a killed postmaster need this time to end

    def start(self, name: str) -> None:
        match name:
            case "standby":
                self.standby.start()
            case "alertmanager":
                self.start_alertmanager()
            case "prometheus":
                self.monitored.start_prometheus()
            case "exporter":
                self.monitored.start_exporter("exporter")
            case "standby exporter":
                self.monitored.start_exporter("standby exporter", "standby", "standby exporter")
            case _:
                self.monitored.site.start_again(name)

    def ready(self) -> dict[str, Any] | None:
        """Return the answer of /ready. If its status is not 200, return only the status. Return None while web does not
        answer."""
        try:
            answer = httpx.get(f"{self.monitored.site.address}/ready", timeout=30)
        except httpx.TransportError:
            return None
        return answer.json() if answer.status_code == 200 else {"status": answer.status_code}

    def is_ready(self, **expected: Any) -> bool:
        found = self.ready()
        if found is None or not isinstance(found.get("primary"), bool):
            return False
        found["encoder"] = bool(found["encoder"] and found["encoder"]["running"])
        return all(found[key] == value for key, value in expected.items())


@pytest.fixture(scope="module")
def whole(public_folder: Path, server: Server, server_home: Path) -> Iterator[Whole]:
    for program, package in {**PROGRAMS, "prometheus-alertmanager": "prometheus-alertmanager"}.items():
        tool(program, package)
    folder = public_folder / "whole"
    (folder / "monitoring").mkdir(parents=True)
    path, environment = binary(server_home, "postgres")
    sink = Sink()
    with running(folder, (path.parent, environment)) as site, standby_of(site, server_home, folder) as standby:
        done = site.run("exporter-login")
        assert done.returncode == 0, done.stderr
        site.ports["standby"] = standby.port
        monitored = Monitored(site, folder / "monitoring")
        monitored.ports["standby exporter"] = free_port()
        monitored.targets["postgres"] = [monitored.ports["standby exporter"]]
        monitored.alertmanagers.append(free_port())
        made = Whole(monitored, standby, sink)
        try:
            made.kill("web")
            environment = site.compose["services"]["web"]["environment"]
            environment["WINDOWSHOP_READ_DATABASE_URL"] = (
                f"postgresql://shop_web_reader@127.0.0.1:{standby.port}/windowshop"
            )
            for name in ("web", "exporter", "standby exporter", "alertmanager", "prometheus"):
                made.start(name)
            _use(site)
            wait_until(lambda: made.is_ready(primary=True, reads="standby", encoder=True), WAIT, "a ready site")
            wait_until(lambda: not monitored.firing() and not sink.firing, WAIT, "no alert")
            yield made
        finally:
            for program in list(monitored.processes):
                monitored.stop(program)
            sink.server.shutdown()


@contextmanager
def standby_of(site: Any, server_home: Path, folder: Path) -> Iterator[Cluster]:
    password = (site.folder / "volumes" / "administrator" / "password").read_text()
    standby = Cluster(server_home, folder / "standby" / "data", site.ports["postgres"], password)
    standby.own(standby.data.parent)
    standby.done("pg_basebackup", "-h127.0.0.1", "-Upostgres", "-R", "-cfast", f"-D{standby.data}")
    standby.port = free_port()
    with (standby.data / "postgresql.conf").open("a") as file:
        file.write("listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\n")
    standby.start()
    try:
        yield standby
    finally:
        standby.stop("immediate")


ALL_WELL = {"primary": True, "reads": "standby", "encoder": True}


@pytest.mark.parametrize(
    ("name", "alerts", "ready"),
    [
        ("encoder", {"NoEncoder"}, {**ALL_WELL, "encoder": False}),
        ("web", {"WebDown"}, None),
        ("jobs", {"JobsDown"}, ALL_WELL),
        ("standby", {"ServerUnseen"}, {**ALL_WELL, "reads": "primary"}),
        ("standby exporter", {"ServerUnseen"}, ALL_WELL),
        ("exporter", {"ServerUnseen"}, ALL_WELL),
        ("postgres", {"PrimaryDown"}, {"primary": False, "reads": "standby"}),
        ("prometheus", set(), ALL_WELL),
    ],
)
def test_a_killed_process_causes_only_the_expected_alerts_until_it_runs_again(
    whole: Whole, name: str, alerts: set[str], ready: dict[str, Any] | None
) -> None:
    whole.sink.clear()
    whole.kill(name)
    if ready is None:
        assert whole.ready() is None
    else:
        wait_until(lambda: whole.is_ready(**ready), WAIT, f"{ready} from /ready, which at first said {whole.ready()}")
    wait_until(lambda: whole.sink.firing == alerts, WAIT, f"{alerts}, not {whole.sink.firing}")
    time.sleep(QUIET_SECONDS)
    assert whole.sink.all == alerts
    assert whole.ready() is None if ready is None else whole.is_ready(**ready)
    whole.start(name)
    wait_until(lambda: whole.is_ready(**ALL_WELL), WAIT, f"a ready site, not {whole.ready()}")
    wait_until(lambda: not whole.sink.firing, WAIT, f"no alert, not {whole.sink.firing}")
    wait_until(lambda: not whole.monitored.firing(), WAIT, f"no alert, not {whole.monitored.firing()}")
    # The jobs connect again some seconds after the primary has started, and until then JobsDown fires. The committed
    # configuration has a group_wait that is longer than these seconds. In this test, group_wait is only 1 s, so
    # Alertmanager may send JobsDown.
    assert whole.sink.all - ({"JobsDown"} if name == "postgres" else set()) == alerts


def test_an_alert_that_fires_while_alertmanager_is_down_is_sent_when_it_runs_again(whole: Whole) -> None:
    whole.sink.clear()
    whole.kill("alertmanager")
    assert whole.is_ready(**ALL_WELL)
    whole.kill("encoder")
    wait_until(lambda: whole.monitored.firing() == {"NoEncoder"}, WAIT, f"NoEncoder, not {whole.monitored.firing()}")
    whole.start("alertmanager")
    wait_until(lambda: whole.sink.firing == {"NoEncoder"}, WAIT, f"NoEncoder, not {whole.sink.firing}")
    whole.start("encoder")
    wait_until(lambda: not whole.sink.firing, WAIT, f"no alert, not {whole.sink.firing}")
    assert whole.sink.all == {"NoEncoder"}
