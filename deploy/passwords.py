"""Creates the passwords of a site that runs under Compose, each in the volumes of the containers that need it.

python passwords.py FOLDER

An existing password is kept. To change the password of a login, delete its file in `logins` and run `docker compose up`
again; see docs/compose.md. PostgreSQL's client library reads the files `pgpass`, and ignores a file that other users
may read.
"""

import os
import secrets
import sys
from pathlib import Path

LOGINS = ("web_reader", "web_writer", "encoder", "loader", "jobs", "cli")
READERS = {
    "web": ("web_reader", "web_writer"),
    "encoder": ("encoder",),
    "loader": ("loader",),
    "jobs": ("jobs",),
}
MONITORING = ("exporter", "grafana")  # every user may read these files, because their containers run as other users
PREFIX = "shop_"


def main(folder: Path) -> None:
    administrator = password(folder / "administrator" / "password", 0o444)
    write(folder / "administrator" / "pgpass", line("postgres", administrator), 0o400)
    known = {login: password(folder / "logins" / login, 0o400) for login in LOGINS}
    for reader, logins in READERS.items():
        text = "".join(line(PREFIX + login, known[login]) for login in logins)
        write(folder / reader / "pgpass", text, 0o400)
    for name in MONITORING:
        password(folder / "monitoring" / name, 0o444)


def line(login: str, value: str) -> str:
    return f"*:*:*:{login}:{value}\n"


def password(path: Path, mode: int) -> str:
    """Return the password in the file. If the file does not exist, create the file with a new password."""
    if not path.exists():
        write(path, secrets.token_urlsafe(32), mode)
    return path.read_text()


def write(path: Path, text: str, mode: int) -> None:
    """Write a file that appears complete or not at all, even if the container is killed."""
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
