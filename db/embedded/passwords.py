"""Stores passwords of logins in `<home>/secrets.json`."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe

from db.embedded import file_lock
from db.errors import EmbeddedServerError

SUPERUSER = "postgres"


def random_password() -> str:
    return token_urlsafe(24)


@dataclass(frozen=True)
class Secrets:
    home: Path

    @property
    def superuser(self) -> str:
        return self.role_password(SUPERUSER)

    def role_password(self, name: str) -> str:
        """Return the password of a role of the embedded server. A missing password is created."""
        known = self._read()
        if name not in known:
            known = self._change(lambda known: known.setdefault(name, random_password()))
        return known[name]

    def known(self) -> dict[str, str]:
        """Return all stored passwords, by the names under which they are stored. Creates nothing."""
        return self._read() if self._path.exists() else {}

    def keep(self, name: str, password: str) -> None:
        self._change(lambda known: known.update({name: password}))

    def _change(self, change: Callable[[dict[str, str]], object]) -> dict[str, str]:
        try:
            lock = file_lock.acquire(self.home / "secrets.lock", wait=10)
            if lock is None:
                raise EmbeddedServerError(f"Another process keeps {self.home / 'secrets.lock'} locked.")
            try:
                known = self._read()
                change(known)
                self._write(known)
            finally:
                lock.release()
        except OSError as error:
            raise EmbeddedServerError(f"{self._path} cannot be written: {error.strerror}") from error
        return known

    @property
    def _path(self) -> Path:
        return self.home / "secrets.json"

    def _read(self) -> dict[str, str]:
        try:
            known: dict[str, str] = json.loads(self._path.read_bytes())
            return known
        except FileNotFoundError:
            if (self.home / "data").exists():
                raise EmbeddedServerError(
                    f"{self._path} is missing. The database beside it needs the passwords in this file.",
                    hint="Restore the file from a backup.",
                ) from None
            return {}
        except PermissionError:
            raise EmbeddedServerError(
                f"{self._path} may not be read.", hint="Run windowshop as the user who owns it."
            ) from None
        except ValueError:
            raise EmbeddedServerError(f"{self._path} is not valid JSON.", hint="Restore it from a backup.") from None

    def _write(self, known: dict[str, str]) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w") as file:
            json.dump(known, file, indent=2)
            file.flush()
            os.fsync(fd)
        fresh.replace(self._path)
