"""Provides PostgreSQL 17 with TLS and pgvector, from the packages of Debian 13, in a folder of its own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from db.embedded.binaries import server_user

PROGRAMS = Path("/usr/lib/postgresql/17/bin")
_PACKAGES = "base-files,bash,coreutils,dash,sed,libc-bin,postgresql-17,postgresql-17-pgvector"


def debian_root(folder: Path) -> Path:
    """Unpack the packages into the new folder, and return the folder. The path of a file below the folder is also valid
    inside a chroot to the folder.

    Skips the test if the user is not root, if mmdebstrap is missing, or if Debian's packages cannot be downloaded.
    """
    if os.geteuid() != 0:
        pytest.skip("only root may run the programs of another system")
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed: apt-get install mmdebstrap")
    made = subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=extract", f"--include={_PACKAGES}", "trixie", str(folder)],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    if made.returncode != 0:
        pytest.skip(f"Debian's packages cannot be downloaded: {made.stderr.strip()[-300:]}")
    user = server_user()
    (folder / "etc" / "passwd").write_text(f"{user.pw_name}:x:{user.pw_uid}:{user.pw_gid}::/:/bin/sh\n")
    (folder / "tmp").mkdir(exist_ok=True)
    (folder / "tmp").chmod(0o1777)
    itself = folder / folder.relative_to("/")
    itself.parent.mkdir(parents=True, exist_ok=True)
    itself.symlink_to("/")
    return folder
