"""Runs the services of compose.yaml as local processes, with their commands, environment, volumes, order and health
checks.

A volume is a folder. In commands and variables, the path of a mount becomes the path of its folder or file. The host
postgres becomes 127.0.0.1, and each port becomes a free port. Users, limits and networks are not applied.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.embedded.binaries import as_user, server_user
from tests.support.compose.files import ROOT, read_compose, read_stages, seconds
from tests.support.compose.rules import is_task
from tests.support.processes import free_port, wait_until

ENTRY_POINTS = Path(__file__).parent / "bin"  # stand-ins for the programs of the PostgreSQL image
PORTS = {
    "WINDOWSHOP_WEB_PORT": "web",
    "WINDOWSHOP_WEB_METRICS_PORT": "web metrics",
    "WINDOWSHOP_ENCODER_PORT": "encoder",
    "WINDOWSHOP_JOBS_PORT": "jobs",
}
START_SECONDS = 240.0  # upper bound of a wait, for a busy machine


@dataclass
class Running:
    name: str
    process: subprocess.Popen[bytes]
    service: Mapping[str, Any]


@dataclass(frozen=True)
class Stopped:
    name: str
    code: int
    in_time: bool  # whether the process ended within stop_grace_period


class Site:
    """The services of one site. `programs` is the folder with PostgreSQL's programs and their environment."""

    def __init__(self, folder: Path, programs: tuple[Path, Mapping[str, str]], profiles: set[str]) -> None:
        self.stages = read_stages()
        self.folder = folder
        self.started: list[str] = []
        self.running: list[Running] = []
        self._programs = programs
        self._profiles = profiles
        self.ports = {name: free_port() for name in ("postgres", *PORTS.values())}
        self.configure({})

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports['web']}"

    def configure(self, variables: Mapping[str, str]) -> None:
        """Use these variables as if the file .env set them. Running processes keep the earlier variables."""
        self.compose = read_compose(variables)
        self._selected = {
            name: service
            for name, service in self.compose["services"].items()
            if not service.get("profiles") or self._profiles & set(service["profiles"])
        }

    def start(self, names: Iterable[str] = ()) -> None:
        """Start the services that do not run, in their order, and wait until they are healthy. A task, which is a
        service that runs to its end, runs each time.

        With `names`, start only these services and those that they need.
        """
        chosen = self._with_needed(names) if names else set(self._selected)
        self.started = [one.name for one in self.running]
        while waiting := [name for name in self._selected if name in chosen and name not in self.started]:
            ready = [name for name in waiting if self._needed(name) <= set(self.started)]
            assert ready, f"a circle of dependencies: {waiting}"
            for name in ready:
                for dependency in self._needed(name):
                    self._await(dependency)
                self._start(name)
        for name in chosen:
            self._await(name)

    def run(
        self, name: str, *command: str, entrypoint: Sequence[str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a service to its end, perhaps with another command, as `docker compose run --rm` does."""
        service = self.compose["services"][name]
        if entrypoint is not None:
            service = {**service, "entrypoint": list(entrypoint), "command": []}
        if command:
            service = {**service, "command": list(command)}
        words, environment, options = self._process(name, service)
        return subprocess.run(
            words, env=environment, capture_output=True, text=True, timeout=START_SECONDS, check=False, **options
        )

    def stop(self) -> list[Stopped]:
        """Stop the services in the reverse order of their dependencies. Kill a service that does not end within its
        grace period."""
        stopped = []
        while self.running:
            needed = {name for one in self.running for name in self._needed(one.name)}
            for one in [one for one in self.running if one.name not in needed]:
                stopped.append(_stop(one))
                self.running.remove(one)
        return stopped

    def start_again(self, name: str) -> None:
        """Start a service that was stopped, and wait until it is healthy."""
        self._start(name)
        self._await(name)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _needed(self, name: str) -> set[str]:
        return {other for other in self._selected[name].get("depends_on", {}) if other in self._selected}

    def _with_needed(self, names: Iterable[str]) -> set[str]:
        return set(names).union(*(self._with_needed(self._needed(name)) for name in names))

    def _start(self, name: str) -> None:
        service = self._selected[name]
        words, environment, options = self._process(name, service)
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(words, env=environment, stdout=log, stderr=log, **options)
        self.started.append(name)
        self.running.append(Running(name, process, service))

    def _await(self, name: str) -> None:
        """Wait until a task has ended with success, or until the health check of a process passes."""
        one = next((one for one in self.running if one.name == name), None)
        if one is None:
            return  # a task that has ended
        if is_task(one.service):
            assert one.process.wait(START_SECONDS) == 0, f"{name} failed:\n{self.log(name)}"
            self.running.remove(one)
            return
        wait_until(lambda: one.process.poll() is not None or self.is_healthy(name), START_SECONDS, f"a healthy {name}")
        assert one.process.poll() is None, f"{name} ended:\n{self.log(name)}"

    def is_healthy(self, name: str) -> bool:
        service = self._selected[name]
        given = service.get("healthcheck", {}).get("test")
        check = given or ["CMD", *self._stage(service).healthcheck]
        assert check[0] == "CMD" and len(check) > 1, f"{name} has no health check"
        words, environment, options = self._process(name, {**service, "entrypoint": check[1:], "command": []})
        done = subprocess.run(words, env=environment, capture_output=True, timeout=60, check=False, **options)
        return done.returncode == 0

    def _stage(self, service: Mapping[str, Any]) -> Any:
        return self.stages[service["build"]["target"]]

    def _process(self, name: str, service: Mapping[str, Any]) -> tuple[list[str], dict[str, str], dict[str, Any]]:
        """Return the command of a service, its environment, and further arguments for subprocess."""
        if "build" in service:
            stage = self._stage(service)
            entrypoint = service.get("entrypoint", stage.entrypoint)
            words = [*entrypoint, *service.get("command", [] if "entrypoint" in service else stage.command)]
            given = {**stage.environment, **service.get("environment", {})}
        else:
            words = [*service["entrypoint"], *service["command"]]
            given = dict(service.get("environment", {}))
        given = {key: self._local(str(value), name, service) for key, value in given.items() if key != "PATH"}
        words = _programs([self._local(word, name, service) for word in words])
        folder = self.folder / "work"
        folder.mkdir(exist_ok=True)
        home = {"HOME": str(folder), "PATH": os.environ["PATH"], "TMPDIR": "/tmp"}
        if "build" not in service:  # the image of PostgreSQL
            programs, variables = self._programs
            path = f"{ENTRY_POINTS}:{programs}:{os.defpath}"
            own = {**variables, "PATH": path, "PGPORT": str(self.ports["postgres"])}
            own |= {key: "127.0.0.1" for key, value in given.items() if value == "postgres" and key == "PGHOST"}
            return words, {**given, **own}, {"cwd": "/", **as_user(server_user())}
        given |= {key: "127.0.0.1" for key, value in given.items() if value == "0.0.0.0"}
        given |= {key: str(self.ports[PORTS[key]]) for key in given if key in PORTS}
        own = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        return words, {**home, **given, **own}, {"cwd": folder}

    def _local(self, text: str, name: str, service: Mapping[str, Any]) -> str:
        """Return the text with the paths and addresses of this machine in place of those of the container."""
        root = self.folder / "root" / name
        paths: dict[str, Path] = {}
        for target, source in self._mounts(service):
            link = root / target.removeprefix("/")
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink() or link.readlink() != source:
                link.unlink(missing_ok=True)
                link.symlink_to(source)
            paths |= dict.fromkeys((target, *(str(parent) for parent in Path(target).parents[:-1])), root)
        any_path = "|".join(re.escape(path) for path in sorted(paths, key=len, reverse=True))
        text = re.sub(rf"(?<![\w.-])({any_path})(?![\w.-])", lambda found: str(root) + found[0], text)
        return text.replace("@postgres:5432", f"@127.0.0.1:{self.ports['postgres']}")

    def _mounts(self, service: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
        if "build" in service:
            yield "/opt/deploy", ROOT / "deploy"
        for mount in service.get("volumes", []):
            source, target = mount.split(":")[:2]
            if source.startswith((".", "/")):
                yield target, ROOT / source
                continue
            folder = self.folder / "volumes" / source
            if not folder.exists():
                folder.mkdir(parents=True)
                if source in ("postgres", "backup"):
                    os.chown(folder, server_user().pw_uid, server_user().pw_gid)
            yield target, folder


@contextmanager
def running(folder: Path, programs: tuple[Path, Mapping[str, str]], profiles: set[str] | None = None) -> Iterator[Site]:
    site = Site(folder, programs, profiles or set())
    try:
        site.start()
        yield site
    finally:
        site.stop()


def _programs(words: list[str]) -> list[str]:
    """Return the command without tini, the init of the image, and with the Python that runs the tests."""
    if words[:2] == ["tini", "--"]:
        words = words[2:]
    known = {"python": [sys.executable], "windowshop": [sys.executable, "-m", "windowshop"]}
    return [*known.get(words[0], words[:1]), *words[1:]]


def _stop(one: Running) -> Stopped:
    if one.process.poll() is None:
        one.process.send_signal(signal.Signals[one.service.get("stop_signal", "SIGTERM")])
    deadline = time.monotonic() + seconds(one.service.get("stop_grace_period", "10s"))
    try:
        code = one.process.wait(deadline - time.monotonic())
    except subprocess.TimeoutExpired:
        one.process.kill()
        return Stopped(one.name, one.process.wait(), in_time=False)
    return Stopped(one.name, code, in_time=True)
