"""Reads the command blocks of docs/operations.md, and runs them in a shell."""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from db.embedded.binaries import as_user, server_user
from tests.support.postgres.cluster import Cluster

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
_BLOCK = re.compile(
    r" *<!-- a test uses this block: (?P<name>[\w ]+) -->\n\n(?:```\w+\n(?P<fenced>[^`]*)```|(?P<lines>(?: {4}.*\n)+))"
)
BLOCKS = {
    found["name"]: found["fenced"] or textwrap.dedent(found["lines"])
    for found in _BLOCK.finditer(PAGE)
}  # fmt: skip
SCRIPTS = "/opt/windowshop/deploy"  # the folder of the scripts on the page


def block(name: str, replacements: Mapping[str, str] | None = None) -> str:
    """Return a block of the page. Each key of `replacements` must occur in the block, and is replaced by its value.

    A key may be a regular expression.
    """
    text = BLOCKS[name]
    for pattern, replacement in (replacements or {}).items():
        text, count = re.subn(pattern, lambda _, new=replacement: new, text)  # type: ignore[misc]
        assert count, f"{pattern} does not occur in the block {name}"
    return text


def shell(
    commands: str, env: Mapping[str, str], cwd: Path, *, typed: str = "", as_server: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run commands in a new session. It has no terminal, so programs that ask for a password read `typed`.

    With `as_server`, the system user of the test servers runs the commands. In both cases, the commands can call
    `windowshop`.
    """
    words = f'windowshop() {{ "{sys.executable}" -m windowshop "$@"; }}\nset -e\n{commands}'
    return subprocess.run(
        ["bash", "-c", words],
        env=dict(env),
        cwd=cwd,
        input=typed,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        start_new_session=True,
        **(as_user(server_user()) if as_server else {}),
    )


def done(result: "subprocess.CompletedProcess[str]") -> str:
    """Return the output of commands that must succeed."""
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def administrator(cluster: Cluster, database: str, home: Path, programs: Path) -> dict[str, str]:
    """Return the environment of Windowshop's administrator on a server."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("WINDOWSHOP_")}
    return {
        **known,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": str(programs.parent / "lib"),
        "PYTHONPATH": str(ROOT),
        "WINDOWSHOP_HOME": str(home),
        "WINDOWSHOP_DATABASE_URL": cluster.url(database),
        "ADMIN_URL": cluster.url(database),
    }


def system_user(cluster: Cluster, programs: Path) -> dict[str, str]:
    """Return the environment of the system user of PostgreSQL on the machine of a server."""
    return {
        "PATH": f"{programs}:/usr/sbin:/usr/bin:/bin",
        "LD_LIBRARY_PATH": str(programs.parent / "lib"),
        "PGHOST": "127.0.0.1",
        "PGPORT": str(cluster.port),
        "PGUSER": "postgres",
        "PGPASSWORD": cluster.password,
        "LC_ALL": "C",
    }
