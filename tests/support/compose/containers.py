"""Builds Windowshop's images on a bootstrapped Debian, and runs containers without capabilities on a read-only
root.

buildah and podman need no daemon. The base image is a minimal Debian with Debian's Python. In these tests, this image
replaces the official Python image.
"""

import subprocess
import sys
from pathlib import Path

import yaml

from tests.support.compose.files import CONTAINERFILE, IMAGES, ROOT

TOOLS = ("mmdebstrap", "buildah", "podman", "crun")
BASE = "localhost/windowshop-base:test"
# pip's configuration and this machine's certificates. The build needs them if pip reaches the index through a proxy.
PIP = [path for path in ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt") if Path(path).exists()]
TORCH_INDEX = Path("/torch-index")  # path in the build containers
NEEDED_BYTES = 30_000_000_000  # free space that the builds need


class ContainerTools:
    """buildah and podman with a storage of their own, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        storage = ["--root", str(folder / "storage"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]
        self._buildah = ["buildah", *storage]
        self._podman = ["podman", *storage, "--cgroup-manager", "cgroupfs", "--runtime", "crun"]

    def make_base(self) -> None:
        tar = self.folder / "base.tar"
        packages = "--include=python3,python3-venv,ca-certificates"
        bootstrap = ["mmdebstrap", "--quiet", "--variant=minbase", packages, "bookworm", str(tar)]
        subprocess.run(bootstrap, check=True, timeout=1800, capture_output=True)
        container = self._run_buildah("from", "scratch")
        self._run_buildah("add", "--quiet", container, tar, "/")
        self._run_buildah("commit", "--quiet", "--rm", container, BASE)
        tar.unlink()

    def build(self, target: str) -> str:
        """Build a target of the Containerfile, and return the name of the image."""
        image = f"localhost/windowshop-{target}:test"
        mounts = [f"{path}:{path}:ro" for path in PIP]
        arguments = {"BASE": BASE}
        if target == "encoder-cpu":
            mounts.append(f"{self._torch_index()}:{TORCH_INDEX}:ro")
            arguments["TORCH_CPU_INDEX"] = f"file://{TORCH_INDEX}"
        self._run_buildah(
            *("bud", "--isolation", "chroot", "--network", "host", "--layers=false", "--format", "docker"),
            *(word for mount in mounts for word in ("--volume", mount)),
            *(word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")),
            *("--ignorefile", f"{CONTAINERFILE}.dockerignore"),
            *("--target", target, "--tag", image, "--file", CONTAINERFILE, ROOT),
        )
        return image

    def command(self, *words: str) -> list[str]:
        """Return the command that runs a container as compose.yaml does, without capabilities and on a read-only root.

        Some machines have no cgroups that containers may use, so the command hides cgroups from podman.
        """
        limits = ["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=4096:4096"]
        rights = ["--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges"]
        # podman needs systemd for health checks, so a test itself runs the command of the health check.
        options = ["--cgroups", "disabled", "--network", "host", "--no-healthcheck", *limits, *rights]
        hide = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"'
        return ["unshare", "--mount", "sh", "-c", hide, "sh", *self._podman, "run", "--rm", *options, *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=300, check=False)

    def remove_containers(self) -> None:
        subprocess.run([*self._podman, "rm", "--all", "--force", "--time", "0"], check=False, timeout=120)

    def size(self, image: str) -> int:
        """Return the bytes of the image, including those of its base."""
        command = [*self._podman, "image", "inspect", "--format", "{{.Size}}", image]
        return int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout)

    def _run_buildah(self, *words: str | Path) -> str:
        command = [*self._buildah, *(str(word) for word in words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout.strip()

    def _torch_index(self) -> Path:
        """Return a folder that serves as a package index with the CPU build of the pinned torch. The wheel comes from
        the index in images.yaml. If that download fails, pip uses the index of its own configuration."""
        index = self.folder / "torch-index"
        folder = index / "torch"
        given = yaml.safe_load(IMAGES.read_text())["services"]["own"]["build"]["args"]["TORCH_CPU_INDEX"]
        [pin] = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch==")]
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries", "0", "--dest"]
        for options in (["--index-url", given], []):
            done = subprocess.run(
                [*download, str(folder), *options, pin], capture_output=True, text=True, timeout=1800, check=False
            )
            if done.returncode == 0:
                break
        wheels = [path.name for path in folder.glob("torch-*.whl") if "+cpu-" in path.name]
        assert wheels, f"there is no wheel of {pin} without CUDA: {done.stderr[-500:]}"
        links = "".join(f'<a href="{name.replace("+", "%2B")}">{name}</a>' for name in wheels)
        (folder / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")
        return index
