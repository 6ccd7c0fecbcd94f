"""Provides the packages of Debian's PostgreSQL to several tests."""

from pathlib import Path

import pytest

from tests.support.postgres.debian import debian_root


@pytest.fixture(scope="session")
def debian(public_folder: Path) -> Path:
    """Returns the folder of a system with PostgreSQL 17, or skips the test."""
    return debian_root(public_folder / "debian")
