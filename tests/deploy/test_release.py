"""The tests run three scripts of the release workflow, but no actions of GitHub. jactionlint checks the workflow
file."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.test_linters import lint, program
from tests.support.compose.files import ROOT

pytestmark = pytest.mark.deploy

WORKFLOW = ROOT / ".github" / "workflows" / "release.yaml"
JOBS: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())["jobs"]


def script(job: str, name: str) -> str:
    return str(next(step["run"] for step in JOBS[job]["steps"] if step.get("name") == name))


def run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-e", "-c", script], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Returns a folder with the files that the scripts read, and a changelog with one release and later changes."""
    (tmp_path / "deploy").mkdir()
    for name in ("pyproject.toml", "deploy/images.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## [Unreleased]\n\n- Later\n\n## [0.1.0] - 2026\n\n- First\n"
    )
    return tmp_path


@pytest.mark.parametrize(("tag", "code"), [("v0.1.0", 0), ("v0.1.1", 1), ("0.1.0", 1)])
def test_only_a_tag_that_names_the_version_is_released(tag: str, code: int, clone: Path) -> None:
    done = run(script("wheel", "The tag is the version"), clone, GITHUB_REF_NAME=tag)
    assert done.returncode == code, done.stderr


def test_a_version_without_notes_is_not_released(clone: Path) -> None:
    (clone / "CHANGELOG.md").write_text("## [Unreleased]\n")
    assert run(script("wheel", "The tag is the version"), clone, GITHUB_REF_NAME="v0.1.0").returncode != 0


def test_the_images_get_the_base_and_the_version_of_images_yaml(clone: Path) -> None:
    output = clone / "output"
    reading = script("images", "Read the base image and the version")
    done = run(reading, clone, GITHUB_OUTPUT=str(output), GITHUB_REPOSITORY="Some/Shop")
    assert done.returncode == 0, done.stderr
    found = dict(line.split("=", 1) for line in output.read_text().splitlines())
    wanted = yaml.safe_load((ROOT / "deploy" / "images.yaml").read_text())["services"]["own"]["build"]["args"]
    assert found == {**wanted, "repository": "some/shop"}


def test_the_notes_are_the_section_of_the_version(clone: Path) -> None:
    writing = script("release", "Draft the release").replace("gh release", "echo gh release")
    assert run(writing, clone, GITHUB_REF_NAME="v0.1.0").returncode == 0
    assert (clone / "notes.md").read_text().strip() == "- First"


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("needs: wheel", "needs: wheels", "undefined-job-needs"),
        ("steps.images.outputs.BASE", "steps.image.outputs.BASE", "undefined-property"),
        ('"$GITHUB_REF_NAME"', '"${{ github.ref_name }}"', "template-injection"),
    ],
)
def test_jactionlint_accepts_the_workflow_and_refuses_a_deliberate_fault(
    tmp_path: Path, old: str, new: str, rule: str
) -> None:
    """jactionlint is a fork of actionlint that pip can install. The workflow pins actions to tags and not to commits.
    So the test ignores the rule unpinned-uses."""
    linter = [program("jactionlint", "the package jactionlint"), "--ignore", "unpinned-uses"]
    done = lint(*linter, WORKFLOW)
    assert done.returncode == 0, done.stdout
    faulty = tmp_path / "faulty.yaml"
    assert old in WORKFLOW.read_text()
    faulty.write_text(WORKFLOW.read_text().replace(old, new))
    done = lint(*linter, faulty)
    assert done.returncode == 1
    assert f"[{rule}]" in done.stdout
