"""Creates the roles of a site, and sets the passwords of the logins that the processes of the site use."""

from pathlib import Path

import psycopg
from sqlalchemy import Connection, text

from db.embedded.passwords import random_password
from db.engine import ADMINISTRATION, Database
from db.errors import SettingsError
from db.lifecycle.logins import set_password
from db.roles import LOGINS, Role, Roles

GROUPS = (Role.OWNER, Role.APP, Role.ANALYST)  # cannot log in
EARLIER_LIMIT = 50  # the gateway's connection limit in earlier releases; now it is a share of the server's limit


def create_roles(conn: Connection, roles: Roles) -> None:
    """Create the missing roles, and let the current user act as the owner.

    Roles belong to the whole server, so the attributes of an existing role stay as they are. Only the connection limit
    that the gateway has from an earlier release is removed.
    """
    quote = conn.dialect.identifier_preparer.quote
    existing = set(conn.scalars(text("select rolname from pg_roles where rolname = any(:names)"), {"names": roles.all}))
    for role in Role:
        if roles[role] not in existing:
            login = "nologin" if role in GROUPS else "login"
            # An upgrade of another database of this server may create the same role at the same time.
            conn.execute(
                text(
                    f"do $$ begin create role {quote(roles[role])} {login}; "
                    "exception when duplicate_object or unique_violation then null; end $$"
                )
            )
    for role, rules in LOGINS.items():
        if rules.group is not None and not _has_role(conn, roles[role], roles[rules.group], "usage"):
            group, login = quote(roles[rules.group]), quote(roles[role])
            conn.execute(text(f"grant {group} to {login} with inherit true, set false"))
    if roles[Role.WEB_READER] not in existing and roles.gateway in existing:
        limit = conn.scalar(text("select rolconnlimit from pg_roles where rolname = :name"), {"name": roles.gateway})
        if limit == EARLIER_LIMIT:
            conn.execute(text(f"alter role {quote(roles.gateway)} connection limit -1"))  # `repair` sets a new limit
    user = str(conn.scalar(text("select current_user")))
    if not all(_has_role(conn, user, roles.owner, right) for right in ("usage", "set")):
        conn.execute(text(f"grant {quote(roles.owner)} to current_user with inherit true, set true"))


def make_roles(database: Database, passwords: Path | None = None) -> list[str]:
    """Create the missing roles of the site, whose database may be empty. Returns the names of the created roles.

    Call this before a restore: a dump does not contain roles, and without them every object belongs to the superuser.
    """
    with database.connect(None) as conn:
        with conn.begin():
            names = text("select rolname from pg_roles where rolname = any(:names)")
            before = set(conn.scalars(names, {"names": database.roles.all}))
            created = missing_logins(conn, database.roles)
            create_roles(conn, database.roles)
        give_passwords(conn, database, created, passwords)
    return [name for name in database.roles.all if name not in before]


def missing_logins(conn: Connection, roles: Roles) -> set[str]:
    names = {roles[role] for role in LOGINS}
    found = conn.scalars(text("select rolname from pg_roles where rolname = any(:names)"), {"names": list(names)})
    return names - set(found)


def give_passwords(conn: Connection, database: Database, created: set[str], folder: Path | None) -> None:
    """Give passwords to the logins of the processes. The gateway's password is in its user mapping (`gateway.py`).

    The embedded server's logins get the passwords that the home folder keeps. On any other server, a login gets the
    password in its file in `folder`. Without such a file, a login gets a random password only if it has no password, so
    a password that the site has set stays. The home folder then keeps the passwords of `folder`, and each random
    password with which its login can connect.
    """
    names = [database.roles[role] for role in LOGINS if role is not Role.GATEWAY]
    if database.password is not None:
        with conn.begin():
            for name in names:
                set_password(conn, name, database.password(name))
            _close_groups(conn, database.roles)
        return
    if database.kept is None:
        return
    chosen = {database.roles[role]: password for role, password in _chosen(folder).items()}
    for name in names:
        if name in chosen:
            if not _opens(database, name, chosen[name]):
                with conn.begin():
                    set_password(conn, name, chosen[name])
            database.kept.keep(name, chosen[name])
            continue
        kept = database.kept.find(name)
        if kept is not None and _opens(database, name, kept):
            database.kept.keep(name, kept)  # stores it again, for all hosts of the present address
            continue
        with conn.begin():
            if name not in created and not _lacks_password(conn, name):
                continue
            password = random_password()
            set_password(conn, name, password)
        if _opens(database, name, password):
            database.kept.keep(name, password)


def _chosen(folder: Path | None) -> dict[Role, str]:
    """Return the passwords that the site has chosen for its logins.

    Raises SettingsError if the folder is missing, or if a file in it is empty or cannot be read.
    """
    if folder is None:
        return {}
    if not folder.is_dir():
        raise SettingsError(f"WINDOWSHOP_LOGIN_PASSWORDS: there is no folder {folder}")
    chosen: dict[Role, str] = {}
    for role in LOGINS:
        path = folder / role
        if role is Role.GATEWAY or not path.exists():
            continue
        try:
            chosen[role] = path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise SettingsError(f"WINDOWSHOP_LOGIN_PASSWORDS: {path} cannot be read") from error
        if not chosen[role]:
            raise SettingsError(f"WINDOWSHOP_LOGIN_PASSWORDS: {path} is empty")
    return chosen


def _close_groups(conn: Connection, roles: Roles) -> None:
    """Revoke the right of the groups to log in. Earlier versions created the groups with this right."""
    open_groups = conn.scalars(
        text("select quote_ident(rolname) from pg_roles where rolcanlogin and rolname = any(:names)"),
        {"names": [roles[role] for role in GROUPS]},
    ).all()
    for group in open_groups:
        conn.execute(text(f"alter role {group} nologin password null"))


def _lacks_password(conn: Connection, name: str) -> bool:
    """Return whether a login has no password. Returns False if the current user is no superuser, because only a
    superuser can see this."""
    if not conn.scalar(text("select rolsuper from pg_roles where rolname = current_user")):
        return False
    return bool(conn.scalar(text("select rolpassword is null from pg_authid where rolname = :name"), {"name": name}))


def _opens(database: Database, name: str, password: str) -> bool:
    url = database.write.set(drivername="postgresql", username=name, password=password)
    try:
        psycopg.connect(url.render_as_string(False), connect_timeout=5, application_name=ADMINISTRATION).close()
    except psycopg.OperationalError:
        return False
    return True


def _has_role(conn: Connection, member: str, role: str, right: str) -> bool:
    has = text("select pg_has_role(cast(:member as name), cast(:role as name), :right)")
    return bool(conn.scalar(has, {"member": member, "role": role, "right": right}))
