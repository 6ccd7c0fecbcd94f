"""Runs PostgreSQL servers for single tests, as the system user of the embedded server. By default, the programs are
those of the embedded server."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg

from db.embedded.binaries import as_user, server_user
from db.embedded.server import binary
from tests.support.processes import ROOT, free_port

PASSWORD = "administrator"


@dataclass
class Cluster:
    """The server of a data folder. `home` is the home folder of the embedded server whose programs run."""

    home: Path
    data: Path
    port: int
    password: str = PASSWORD  # of the administrator
    programs: Path | None = None  # folder of PostgreSQL's programs; if None, those of the embedded server
    root: Path | None = None  # folder of another system, in which the programs run (see debian.py)

    @classmethod
    def create(
        cls, home: Path, folder: Path, *settings: str, programs: Path | None = None, root: Path | None = None
    ) -> "Cluster":
        """Create a data folder whose postgresql.conf ends with the settings."""
        made = cls(home, folder / "data", free_port(), programs=programs, root=root)
        made.own(folder)
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        options = "--username=postgres --auth=scram-sha-256 --encoding=UTF8 --locale=C --lc-ctype=C.UTF-8"
        made.done("initdb", f"--pgdata={made.data}", f"--pwfile={password}", *options.split())
        fixed = ("listen_addresses = '127.0.0.1'", "unix_socket_directories = ''", "fsync = off", "autovacuum = off")
        with (made.data / "postgresql.conf").open("a") as file:
            file.write("\n".join(("", *fixed, *settings, "")))
        return made

    def own(self, folder: Path) -> None:
        """Create a folder that belongs to the system user of the server."""
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, server_user().pw_uid, server_user().pw_gid)

    def start(self, options: str = "") -> None:
        log = self.data.parent / f"{self.data.name}.log"
        self.done("pg_ctl", "start", "-w", f"-D{self.data}", f"-l{log}", "-o", f"-p {self.port} {options}")

    def stop(self, mode: str = "fast") -> None:
        self.done("pg_ctl", "stop", "-w", f"-D{self.data}", "-m", mode)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(database), autocommit=True) as conn:
            done = conn.execute(statement)  # type: ignore[call-overload]
            return list(done.fetchall()) if done.description else []

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program, or a shell script of deploy/backup, as the system user of the server."""
        found, variables = binary(self.home, "postgres")
        programs = self.programs or found.parent
        if self.programs is not None:
            variables = {"LD_LIBRARY_PATH": str(self.programs.parent / "lib")}
        script = str(words[0]).endswith(".sh")
        first = ["sh", str(ROOT / "deploy" / "backup" / words[0])] if script else [str(programs / words[0])]
        path = f"{programs}:/usr/bin:/bin"
        environment = {**variables, "PATH": path, "PGPORT": str(self.port), "PGPASSWORD": self.password, "LC_ALL": "C"}
        prefix = in_root(self.root) if self.root else []
        return subprocess.run(
            [*prefix, *first, *(str(word) for word in words[1:])],
            env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
            check=False, **({} if self.root else as_user(server_user())),
        )  # fmt: skip

    def done(self, *words: str | Path) -> str:
        """Run a program that must succeed. Returns what it printed."""
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()


def in_root(root: Path) -> list[str]:
    """Return the words to put before a command, so that it runs as the system user of the servers and with the
    folder `root` as its root folder."""
    user = server_user()
    return ["/usr/sbin/chroot", f"--userspec={user.pw_uid}:{user.pw_gid}", str(root)]
