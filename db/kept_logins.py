"""Finds the passwords of the logins that `db upgrade` created on a site's own server.

With one administrator's address for all commands, `db upgrade` keeps the passwords in `<home>/secrets.json`. Each
command of this home that has the same address then takes its own login. The key of a password contains the address, so
one home can serve several servers, and the login of a person is never replaced.
"""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from db.embedded import server
from db.embedded.passwords import Secrets


@dataclass(frozen=True)
class KeptLogins:
    home: Path
    administrator: URL

    def find(self, login: str) -> str | None:
        return Secrets(self.home.absolute()).find(self._key(login))

    def keep(self, login: str, password: str) -> None:
        server.secrets(self.home).keep(self._key(login), password)

    def _key(self, login: str) -> str:
        url = self.administrator
        return f"{login} at {url.host}:{url.port or 5432}, created by {url.username}"
