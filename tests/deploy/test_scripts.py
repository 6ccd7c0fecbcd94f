"""The scripts of deploy/ create passwords, start PostgreSQL in its container, and write the digests of images."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.compose.files import IMAGES, ROOT

pytestmark = pytest.mark.deploy

DEPLOY = ROOT / "deploy"


def run(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_passwords_differ_and_only_three_files_are_readable_by_others(
    tmp_path: Path,
) -> None:
    assert run(sys.executable, DEPLOY / "passwords.py", tmp_path).returncode == 0
    modes = {path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("*/*")}
    shared = {"administrator/password", "monitoring/exporter", "monitoring/grafana"}
    assert {name for name, mode in modes.items() if mode != 0o400} == shared
    assert len({path.read_text() for path in tmp_path.glob("*/*")}) == len(modes)


def start_postgres(volume: Path) -> subprocess.CompletedProcess[str]:
    """Run start-postgres.sh with a stand-in for the image's entry point, which only prints its arguments."""
    programs = volume.parent / "programs"
    programs.mkdir(exist_ok=True)
    entrypoint = programs / "docker-entrypoint.sh"
    entrypoint.write_text('#!/bin/sh\necho "starts: $*"\n')
    entrypoint.chmod(0o755)
    script = DEPLOY / "compose" / "start-postgres.sh"
    path = f"{programs}:{os.environ['PATH']}"
    return run("sh", script, "-cmax_connections=100", PATH=path, PGDATA=str(volume / "18" / "docker"))


@pytest.mark.parametrize("folder", ["18/docker", None])
def test_postgresql_starts_with_its_own_data_and_with_an_empty_volume(folder: str | None, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    for name in filter(None, (folder, folder and "17/docker")):  # data of an earlier version may stay after an upgrade
        (volume / name).mkdir(parents=True)
        (volume / name / "PG_VERSION").write_text(name.split("/")[0] + "\n")
    done = start_postgres(volume)
    assert (done.returncode, done.stdout) == (0, "starts: postgres -cmax_connections=100\n"), done.stderr


@pytest.mark.parametrize(
    ("folder", "version"),
    [(".", "16"), ("data", "17"), ("17/docker", "17"), ("19/docker", "19"), ("data/18/docker", "18")],
)
def test_data_of_another_version_or_folder_is_refused_and_the_error_names_its_folder(
    folder: str, version: str, tmp_path: Path
) -> None:
    volume = tmp_path / "volume"
    (volume / folder).mkdir(parents=True)
    (volume / folder / "PG_VERSION").write_text(version + "\n")
    done = start_postgres(volume)
    assert done.returncode == 1
    assert f"the volume holds data of PostgreSQL {version}, in {volume / folder}" in done.stderr.replace("/./", "/")


def pin(tmp_path: Path, skopeo: str | None) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run a copy of pin.py with a stand-in for skopeo, because no registry can be reached."""
    for name in ("pin.py", "images.yaml"):
        (tmp_path / name).write_text((DEPLOY / name).read_text())
    programs = tmp_path / "programs"
    programs.mkdir()
    if skopeo is not None:
        (programs / "skopeo").write_text(f"#!/bin/sh\n{skopeo}\n")
        (programs / "skopeo").chmod(0o755)
    done = run(sys.executable, tmp_path / "pin.py", PATH=f"{programs}:/usr/bin:/bin" if skopeo else str(programs))
    return done, (tmp_path / "images.yaml").read_text()


def test_the_script_pin_writes_the_digest_of_every_image_and_a_second_run_replaces_it(tmp_path: Path) -> None:
    done, text = pin(tmp_path, f'echo "sha256:{"a" * 64}"')
    assert done.returncode == 0, done.stderr
    images = re.findall(r": (?:docker|quay|ghcr)\.io/", IMAGES.read_text())
    assert text.count("@sha256:" + "a" * 64) == len(images) >= 7
    (tmp_path / "programs" / "skopeo").write_text(f'#!/bin/sh\necho "sha256:{"b" * 64}"\n')
    again = run(sys.executable, tmp_path / "pin.py", PATH=f"{tmp_path / 'programs'}:/usr/bin:/bin")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "images.yaml").read_text() == text.replace("a" * 64, "b" * 64)


@pytest.mark.parametrize(
    ("skopeo", "reason"),
    [("echo 'no route to the registry' >&2; exit 1", "no route"), ("echo latest", "latest"), (None, "not installed")],
)
def test_the_script_pin_changes_nothing_while_a_digest_cannot_be_read(
    skopeo: str | None, reason: str, tmp_path: Path
) -> None:
    done, text = pin(tmp_path, skopeo)
    assert done.returncode == 1
    assert reason in done.stderr
    assert text == IMAGES.read_text()
