"""Compares a site's logins with their rules, adds up their connection limits, and manages the logins of people.

PostgreSQL lets every role change its own password and the defaults of its own sessions, and any session may lift its
statement_timeout. PostgreSQL does not let a role change its own connection limit or temp_file_limit. So only these two
limits protect the service. `db upgrade` restores the other settings that have a rule, if a role has changed its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from sqlalchemy import Connection, text

from db.embedded.passwords import random_password
from db.errors import SettingsError
from db.roles import LOGINS, PEOPLE, PERSONAL_CONNECTIONS, Role, Roles


@dataclass(frozen=True)
class Login:
    name: str
    role: Role  # the login's own role, or the group of a person's login
    is_person: bool
    limit: int  # -1: none
    settings: Mapping[str, str]  # for all databases
    settings_here: Mapping[str, str]  # for this database only
    is_administered: bool  # whether the current user may change the login


@dataclass(frozen=True)
class Deviation:
    """The violation of a rule by a login, and the statement that restores the rule."""

    message: str
    repair: sql.Composable
    is_administered: bool


@dataclass(frozen=True)
class Budget:
    """The number of connections of the server, and the numbers of connections that its logins may take."""

    usable: int
    most: int
    reserved: int
    services: Mapping[str, int]
    people: Mapping[str, int]
    others: Mapping[str, int]
    unlimited: list[str]

    @property
    def taken(self) -> int:
        return sum(sum(part.values()) for part in (self.services, self.people, self.others))

    def __str__(self) -> str:
        def part(name: str, logins: Mapping[str, int]) -> str:
            listed = ", ".join(f"{login} {limit}" for login, limit in logins.items())
            return f"  {name}: {sum(logins.values())}" + (f" ({listed})" if listed else "")

        lines = [
            f"Connections: {self.usable} (max_connections {self.most}, {self.reserved} reserved), "
            f"of which the logins may take {self.taken}",
            part("Windowshop", self.services),
            part("people", self.people),
        ]
        if self.others:
            lines.append(part("other logins of this server", self.others))
        if self.unlimited:
            lines.append(f"  without a limit: {', '.join(self.unlimited)}")
        return "\n".join(lines)


_LOGINS = """
select r.rolname, r.rolconnlimit as limit, every.setconfig as settings, here.setconfig as settings_here,
    pg_has_role(current_user, r.oid, 'member with admin option') as is_administered,
    exists (
        select from pg_roles g where g.rolname = :analyst and pg_has_role(r.oid, g.oid, 'usage, set')) as is_analyst,
    exists (select from pg_roles g where g.rolname = :app and pg_has_role(r.oid, g.oid, 'usage, set')) as is_app
from pg_roles r
left join pg_db_role_setting every on every.setrole = r.oid and every.setdatabase = 0
left join pg_db_role_setting here on here.setrole = r.oid
    and here.setdatabase = (select oid from pg_database where datname = current_database())
where r.rolcanlogin and not r.rolsuper and not r.rolcreaterole and r.rolname <> all(array[:analyst, :app])
    and not exists (select from pg_roles o where o.rolname = :owner and pg_has_role(r.oid, o.oid, 'member'))
order by r.rolname"""


def every_login(conn: Connection, roles: Roles) -> list[Login]:
    """Return the logins of the site's processes and of people, without administrators."""
    own = {roles[role]: role for role in LOGINS}
    rows = conn.execute(text(_LOGINS), {"analyst": roles.analyst, "app": roles.app, "owner": roles.owner})
    return [
        Login(
            row.rolname,
            own.get(row.rolname, Role.APP if row.is_app else Role.ANALYST),
            row.rolname not in own,
            row.limit,
            _pairs(row.settings),
            _pairs(row.settings_here),
            row.is_administered,
        )
        for row in rows
        if row.rolname in own or row.is_analyst or row.is_app
    ]


def deviations(conn: Connection, roles: Roles) -> Iterator[Deviation]:
    """Yield the deviations of logins from their rules. temp_file_limit is checked only if the current user may set
    it."""
    database = sql.Identifier(str(conn.scalar(text("select current_database()"))))
    usable = _server(conn)["usable"]
    may_limit_files = conn.scalar(text("select has_parameter_privilege('temp_file_limit', 'set')"))
    for login in every_login(conn, roles):
        name = sql.Identifier(login.name)
        settings = dict(PEOPLE[login.role] if login.is_person else LOGINS[login.role].settings)
        if not may_limit_files:
            settings.pop("temp_file_limit", None)
        if login.limit < 0:
            limit = PERSONAL_CONNECTIONS if login.is_person else max(2, int(usable * LOGINS[login.role].share))
            yield Deviation(
                f"{login.name} has no connection limit",
                sql.SQL("alter role {} connection limit {}").format(name, sql.Literal(limit)),
                login.is_administered,
            )
        for setting, value in settings.items():
            parts = {"login": name, "setting": sql.Identifier(setting), "value": sql.Literal(value), "db": database}
            if (now := login.settings.get(setting)) != value:
                yield Deviation(
                    f"{login.name} has {setting} {now or 'unset'}, not {value}",
                    sql.SQL("alter role {login} set {setting} = {value}").format(**parts),
                    login.is_administered,
                )
            if setting in login.settings_here:
                yield Deviation(
                    f"{login.name} has {setting} {login.settings_here[setting]} in this database",
                    sql.SQL("alter role {login} in database {db} reset {setting}").format(**parts),
                    login.is_administered,
                )


def repair(conn: Connection, roles: Roles) -> None:
    """Apply the rules to all logins that the current user administers."""
    for deviation in list(deviations(conn, roles)):
        if deviation.is_administered:
            execute(conn, deviation.repair)


def missing(conn: Connection, roles: Roles) -> list[str]:
    """Return the roles of the site that do not exist, and the logins that cannot log in or are administrators."""
    exist = set(conn.scalars(text("select rolname from pg_roles where rolname = any(:names)"), {"names": roles.all}))
    usable = {login.name for login in every_login(conn, roles)}
    return [roles[role] for role in Role if roles[role] not in (usable if role in LOGINS else exist)]


def faults(conn: Connection, roles: Roles) -> list[str]:
    """Return a line for each violated rule."""
    lines = [f"{name} does not exist, may not log in, or is an administrator" for name in missing(conn, roles)]
    lines += [deviation.message for deviation in deviations(conn, roles)]
    shared = conn.scalars(
        text("select rolname from pg_roles where rolcanlogin and rolname = any(:groups) order by 1"),
        {"groups": [roles.analyst, roles.app]},
    )
    lines += [
        f"{name} may log in, so its users share one password. Give each of them a login "
        f'("windowshop db login add NAME"), then run: alter role {name} nologin'
        for name in shared
    ]
    borrowed = conn.execute(
        text(
            "select m.member::regrole::text, m.roleid::regrole::text from pg_auth_members m "
            "join pg_roles r on r.oid = m.roleid join pg_roles p on p.oid = m.member "
            "where r.rolname = any(:services) and not p.rolsuper and not p.rolcreaterole order by 1, 2"
        ),
        {"services": [roles[role] for role in LOGINS]},
    )
    lines += [f"{member} is a member of the login {login}: revoke {login} from {member}" for member, login in borrowed]
    counted = budget(conn, roles)
    if counted.taken > counted.usable:
        lines.append(
            f"the logins may take {counted.taken} connections, and the server has {counted.usable}: "
            "raise max_connections, or lower limits with alter role ... connection limit"
        )
    return lines


def budget(conn: Connection, roles: Roles) -> Budget:
    server = _server(conn)
    known = {login.name: login for login in every_login(conn, roles)}
    rows = conn.execute(
        text("select rolname, rolconnlimit from pg_roles where rolcanlogin and not rolsuper order by 1")
    ).all()
    limits = {name: limit for name, limit in rows if limit >= 0}
    people = {name for name, login in known.items() if login.is_person}
    return Budget(
        **server,
        services={name: limit for name, limit in limits.items() if name in known and name not in people},
        people={name: limit for name, limit in limits.items() if name in people},
        others={name: limit for name, limit in limits.items() if name not in known},
        unlimited=[name for name, limit in rows if limit < 0],
    )


def add(conn: Connection, roles: Roles, name: str, group: Role, connections: int) -> str:
    """Create the login of a person and return its password. The login has the group's rights, but cannot SET ROLE to
    the group."""
    counted = budget(conn, roles)
    if (left := counted.usable - counted.taken) < connections:
        raise SettingsError(
            f"the server has {max(left, 0)} of its {counted.usable} connections left, and {name} needs {connections}",
            hint='Use --connections, raise max_connections, or lower other limits; see "windowshop db check".',
        )
    password = random_password()
    parts = {"name": sql.Identifier(name), "group": sql.Identifier(roles[group]), "limit": sql.Literal(connections)}
    execute(conn, sql.SQL("create role {name} login connection limit {limit}").format(**parts))
    execute(conn, sql.SQL("grant {group} to {name} with inherit true, set false").format(**parts))
    set_password(conn, name, password)
    repair(conn, roles)
    return password


def drop(conn: Connection, roles: Roles, name: str) -> None:
    if not any(login.is_person and login.name == name for login in every_login(conn, roles)):
        raise SettingsError(f"{name} is not the login of a person", hint='See "windowshop db login list".')
    execute(conn, sql.SQL("drop role {}").format(sql.Identifier(name)))


def set_password(conn: Connection, name: str, password: str) -> None:
    """Set a password. The server and its log receive only the SCRAM verifier."""
    raw: Any = conn.connection.driver_connection
    verifier = raw.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    execute(conn, sql.SQL("alter role {} password {}").format(sql.Identifier(name), sql.Literal(verifier)))


def execute(conn: Connection, statement: sql.Composable) -> None:
    conn.exec_driver_sql(statement.as_string(None), execution_options={"no_parameters": True})


def _server(conn: Connection) -> dict[str, int]:
    row = conn.execute(
        text(
            "select current_setting('max_connections')::int as most, "
            "current_setting('superuser_reserved_connections')::int + current_setting('reserved_connections')::int "
            "as reserved"
        )
    ).one()
    return {"most": row.most, "reserved": row.reserved, "usable": row.most - row.reserved}


def _pairs(settings: list[str] | None) -> dict[str, str]:
    return {name: value for name, _, value in (setting.partition("=") for setting in settings or ())}
