"""Stores and finds the passwords of the logins that `db upgrade` created on a site's own server.

The passwords are in `<home>/secrets.json`. With this home folder and the administrator's address, each later command
finds the password of its role's login, and connects with this login. If the address of a command has another user name
than the administrator's, the command logs in as this other user.

The key of a password contains the login, the hosts and ports of the server, and the administrator's user name, but not
the database. So one home can serve several servers. Because a primary and its standbys have the same passwords, a
password is found if at least one host and port of the address is in the key.
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
        kept = Secrets(self.home.absolute()).known()
        begin, end = f"{login} at ", f", created by {self.administrator.username}"
        for key in [self._key(login), *kept]:
            if key in kept and key.startswith(begin) and key.endswith(end):
                servers = key.removeprefix(begin).removesuffix(end).split(", ")
                if not set(servers).isdisjoint(self._servers()):
                    return kept[key]
        return None

    def keep(self, login: str, password: str) -> None:
        if Secrets(self.home.absolute()).known().get(self._key(login)) != password:
            server.secrets(self.home).keep(self._key(login), password)

    def _key(self, login: str) -> str:
        return f"{login} at {', '.join(self._servers())}, created by {self.administrator.username}"

    def _servers(self) -> list[str]:
        url = self.administrator
        return [f"{host}:{port}" for host, port in hosts(url)] or [f"None:{url.port or PORT}"]
