"""Databases on the session's server."""

from itertools import count
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from db.embedded import server as embedded
from db.engine import Database
from db.roles import Roles
from migrations.gateway import point_gateway

ROLES = Roles("shop_")
_numbers = count(1)


class Databases:
    """Makes and drops databases on the session's server."""

    def __init__(self, server: embedded.Server, home: Path) -> None:
        self._server = server
        self._secrets = embedded.secrets(home)
        self._made: list[str] = []
        # Making and dropping databases is most of the run's time on disk; durability is tested in test_embedded.py.
        self.run("alter system set fsync = off")
        self.run("select pg_reload_conf()")

    def admin_url(self, name: str = "postgres") -> str:
        return self._server.url("postgres", self._secrets.superuser, name)

    def open(self, name: str) -> Database:
        url = make_url(self.admin_url(name)).set(drivername="postgresql+psycopg")
        return Database(url, url, ROLES, self._secrets.role_password)

    def create(self, template: str = "template1") -> str:
        name = f"shop_{next(_numbers)}"
        self.run(f"create database {name} template {template}")
        self._made.append(name)
        return name

    def copy(self, template: str) -> Database:
        """A copy of a migrated database, its gateway pointed at the copy."""
        database = self.open(self.create(template))
        with database.connect(None) as conn, conn.begin():
            password = self._secrets.role_password(ROLES.gateway)
            point_gateway(conn, ROLES, self._server.host, self._server.port, password)
        return database

    def run(self, statement: str) -> None:
        with psycopg.connect(self.admin_url(), autocommit=True) as conn:
            conn.execute(statement)  # type: ignore[arg-type]  # names of our own making

    def drop_all(self) -> None:
        for name in self._made:
            self.run(f"drop database if exists {name} with (force)")
