"""Sets up the loopback connection over which a read-only session requests the encoding of a new query.

The connection needs a foreign server, a user mapping and settings of the database. After a restore, or in a copy of a
template, the server has the address of the old database, and the settings are lost. Every upgrade therefore sets the
server and the settings again, and replaces a mapping whose password does not work.
"""

import secrets
from collections.abc import Mapping, Sequence

from psycopg import sql
from sqlalchemy import Connection, text

from db.addresses import split_hosts
from db.errors import DatabaseError, SettingsError
from db.lifecycle.gateway import DATABASE_SETTINGS, SERVER, is_elsewhere
from db.roles import Roles
from db.settings import Settings


def point_gateway(
    conn: Connection,
    roles: Roles,
    hosts: Sequence[tuple[str, int | None]],
    password: str | None,
    *,
    renew: bool = False,
    root_certificate: str | None = None,
) -> None:
    """Set the foreign server, the user mapping and the database's settings for this database.

    With `root_certificate`, a path on the machine of the server, the gateway checks the server's certificate. Without
    it, `sslmode` and `sslrootcert` stay as they are.

    Without a `password`, the password in the mapping is kept if it works. Otherwise, a random password is created. The
    gateway role gets a new password if `renew` is true. It also gets one in a copy of a site, so that the original and
    its dumps do not have the password of the copy. But if another database of this server uses the role, the copy keeps
    the password.

    Raises SettingsError if there is neither a `password` nor a mapping, and another database of the server uses the
    gateway role.
    """
    options = server_options(hosts, str(conn.scalar(text("select current_database()"))), root_certificate)
    present = _options(conn, "select srvoptions from pg_foreign_server where srvname = :name", {"name": SERVER})
    server = sql.Identifier(SERVER)
    identity = sql.Literal(str(conn.scalar(text("select shop_private.database_identity()"))))
    renew = renew or (is_elsewhere(conn) and not _others(conn, roles))
    if present is None:
        create = sql.SQL("create server {} version {} foreign data wrapper dblink_fdw options ({})")
        _run(conn, create, server, identity, _set(options, None))
    else:
        _run(conn, sql.SQL("alter server {} version {} options ({})"), server, identity, _set(options, present))
    owner, gateway = sql.Identifier(roles.owner), sql.Identifier(roles.gateway)
    _run(conn, sql.SQL("grant usage on foreign server {} to {}"), server, owner)

    mapped = conn.scalar(
        text("select 1 from pg_user_mappings where srvname = :name and usename = :owner"),
        {"name": SERVER, "owner": roles.owner},
    )
    if password is None and mapped and not renew and _probe(conn, roles):
        password = None  # the password in the mapping works
    else:
        if password is None and not mapped:
            _refuse_if_shared(conn, roles)
        password = password or secrets.token_urlsafe(32)
        _run(conn, sql.SQL("alter role {} password {}"), gateway, sql.Literal(password))
        mapping = {"user": roles.gateway, "password": password}
        if mapped:
            _run(conn, sql.SQL("drop user mapping for {} server {}"), owner, server)
        _run(conn, sql.SQL("create user mapping for {} server {} options ({})"), owner, server, _set(mapping, None))
    _database_settings(conn)


def named_hosts(settings: Settings, port: int | None) -> list[tuple[str, int | None]] | None:
    """Return the hosts of WINDOWSHOP_GATEWAY_HOST, or None if it is unset. A host that names no port gets `port`.

    Raises SettingsError if the value is not a list of hosts.
    """
    if settings.gateway_host is None:
        return None
    named = split_hosts(settings.gateway_host)
    if named is None:
        raise SettingsError("WINDOWSHOP_GATEWAY_HOST is not a list of hosts", hint="For example: db1:5432,db2:5432")
    return [(host, own or port) for host, own in named]


def server_options(
    hosts: Sequence[tuple[str, int | None]], database: str, root_certificate: str | None
) -> dict[str, str]:
    return {
        "host": ",".join(host for host, _ in hosts),
        "port": ",".join(str(port) for _, port in hosts),
        # After a failover, the gateway connects to the host that then accepts writes. An operator need not do anything.
        "target_session_attrs": "read-write" if len(hosts) > 1 else "any",
        "dbname": database,
        **({"sslmode": "verify-full", "sslrootcert": root_certificate} if root_certificate else {}),
        "application_name": "windowshop gateway",
        "connect_timeout": "3",
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "10000",
        "options": "-c statement_timeout=60s -c idle_session_timeout=10s -c client_connection_check_interval=1s",
    }


def _probe(conn: Connection, roles: Roles) -> bool:
    """Return whether the server can still log in as the gateway with the password in the mapping."""
    dblink = conn.scalar(text("select extnamespace::regnamespace::text from pg_extension where extname = 'dblink'"))
    with conn.begin_nested() as savepoint:
        try:
            conn.execute(text(f"set local role {conn.dialect.identifier_preparer.quote(roles.owner)}"))
            conn.execute(text(f"select {dblink}.dblink_connect('shop_probe', '{SERVER}')"))
            conn.execute(text(f"select {dblink}.dblink_disconnect('shop_probe')"))
            conn.execute(text("reset role"))
            return True
        except DatabaseError:
            savepoint.rollback()
            return False


def _others(conn: Connection, roles: Roles) -> list[str]:
    """Return the other databases of the server that use the gateway role."""
    found = conn.scalars(
        text(
            "select distinct d.datname from pg_shdepend s join pg_database d on d.oid = s.dbid "
            "where s.refclassid = 'pg_authid'::regclass and s.refobjid = to_regrole(:role) "
            "and d.datname <> current_database() order by 1"
        ),
        {"role": roles.gateway},
    )
    return list(found)


def _refuse_if_shared(conn: Connection, roles: Roles) -> None:
    others = _others(conn, roles)
    if others:
        raise SettingsError(
            f"role {roles.gateway} is also used by database {', '.join(others)}, with an unknown password",
            hint="Set WINDOWSHOP_GATEWAY_PASSWORD to the same value for all these sites, or give this site its own "
            "WINDOWSHOP_ROLE_PREFIX.",
        )


def _database_settings(conn: Connection) -> None:
    vector = conn.scalar(text("select extnamespace::regnamespace::text from pg_extension where extname = 'vector'"))
    conn.execute(text(f"select '[1]'::{vector}.vector"))  # loads pgvector, which defines its settings
    database = sql.Identifier(str(conn.scalar(text("select current_database()"))))
    for setting, value in DATABASE_SETTINGS.items():
        name = sql.SQL(".").join(map(sql.Identifier, setting.split(".")))
        _run(conn, sql.SQL("alter database {} set {} = {}"), database, name, sql.Literal(value))


def _options(conn: Connection, query: str, parameters: Mapping[str, str]) -> set[str] | None:
    row = conn.execute(text(query), parameters).one_or_none()
    return None if row is None else {option.split("=", 1)[0] for option in row[0] or ()}


def _set(options: Mapping[str, str], present: set[str] | None) -> sql.Composable:
    def verb(name: str) -> sql.SQL:
        if present is None:
            return sql.SQL("")
        return sql.SQL("set " if name in present else "add ")

    return sql.SQL(", ").join(verb(k) + sql.Identifier(k) + sql.SQL(" ") + sql.Literal(v) for k, v in options.items())


def _run(conn: Connection, template: sql.SQL, *parts: sql.Composable) -> None:
    statement = template.format(*parts).as_string(None)
    conn.exec_driver_sql(statement, execution_options={"no_parameters": True})
