"""Finds the passwords of the logins that `db upgrade` created on a site's own server.

`db upgrade` stores the passwords in `<home>/secrets.json`. Each later command with this home and with the
administrator's address then uses its own login. The key of a password contains the address. One home can therefore
serve several servers, and a command with a person's login keeps that login.
"""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from db.addresses import PORT, hosts
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
        servers = ", ".join(f"{host}:{port}" for host, port in hosts(url)) or f"None:{url.port or PORT}"
        return f"{login} at {servers}, created by {url.username}"
