"""`windowshop db upgrade`: moves an empty database or any earlier schema to the schema of this code.

    migration lock -> check of dependent objects -> extensions, roles, schemas, passwords -> revisions and SQL functions
    (as the owner role) -> validation of constraints -> gateway -> limits and settings of the logins

Site revisions (the tables of the site's models) have a branch of their own. Their files are in
`<WINDOWSHOP_HOME>/revisions`, because an installed package cannot hold them. The database keeps them too: see
`site_revisions.py`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from db import schema
from db.addresses import PORT, hosts
from db.driver_errors import translated
from db.engine import ADMINISTRATION, DATABASE, Database, open_database
from db.errors import DatabaseError, LoginRefused, SchemaMismatch
from db.lifecycle import gateway
from db.lifecycle.logins import repair
from db.locks import Lock, hold
from db.pooler import refuse_transaction_pooler
from db.roles import Roles
from db.settings import Settings
from migrations.function_files import check_dependents, read_files
from migrations.gateway import named_hosts, point_gateway
from migrations.logins import give_passwords, missing_logins
from migrations.prepare import Extensions, installed, prepare
from migrations.restrict import restrict
from migrations.row_security import watch_row_security
from migrations.site_revisions import restore
from migrations.upgrade_script import listed_hosts

PROJECT_REVISIONS = Path(__file__).parent / "versions"
ALEMBIC_INI = Path(__file__).parent / "alembic.ini"


def site_revisions(home: Path) -> Path:
    return home / "revisions"


def upgrade(database: Database, settings: Settings, on_progress: Callable[[str], None] = lambda _: None) -> None:
    """Bring the schema to the newest revisions of project and site.

    A second call changes nothing. Concurrent calls wait for each other.

    Raises DependentObjects, before any change, if an object of the site depends on a function that must be dropped, or
    stores rows of a type that gets new columns.
    """
    with migrating(database, settings, check=_check_dependents) as (config, conn, _):
        on_progress("applying revisions and functions")
        config.attributes["progress"] = on_progress
        with _translating():
            command.upgrade(config, "heads")
        _finish(conn, database, settings, on_progress)


def write_script(settings: Settings, start: str, output: TextIO) -> None:
    """Write the upgrade from the revision `start` as SQL for psql. For an empty database, `start` is "base". Needs no
    database.

    Raises SettingsError, before anything is written, for a wrong address of the database or the gateway.
    """
    listed_hosts(settings)
    config = _config(settings.home)
    config.output_buffer = output
    config.attributes["settings"] = settings
    with _translating():
        command.upgrade(config, f"{start}:heads", sql=True)


@contextmanager
def plain(on_progress: Callable[[str], None], *, moves: bool) -> Iterator[tuple[dict[str, Any], Callable[[], None]]]:
    """Yield what a plain alembic command needs: the attributes of Alembic's configuration, and a function to call when
    the schema has reached the heads. The function sets up the gateway and the logins, and validates constraints. With
    `moves`, the command may change the schema."""
    settings = Settings.read()
    with open_database(settings, on_progress=on_progress) as database:
        if moves:
            with migrating(database, settings, check=_check_dependents) as (config, conn, _):
                attributes = {**config.attributes, "progress": on_progress}
                yield attributes, lambda: _finish(conn, database, settings, on_progress)
            return
        with database.connect(None) as conn:
            extensions_found = _read_as_owner(conn, database.roles)
            restore(conn, site_revisions(settings.home))
            conn.commit()
            schemas = extensions_found.by_word() if extensions_found else {}
            yield {"connection": conn, "roles": database.roles.by_word(), "schemas": schemas}, lambda: None


def _read_as_owner(conn: Connection, roles: Roles) -> Extensions | None:
    """Act as the owner if the site exists, and return the schemas of the extensions. Changes nothing."""
    extensions = installed(conn)
    owner = text("select pg_has_role(oid, 'set') from pg_roles where rolname = :owner")
    if conn.scalar(owner, {"owner": roles.owner}) and extensions is not None:
        conn.execute(text(f"set role {conn.dialect.identifier_preparer.quote(roles.owner)}"))
        _search_extensions(conn, extensions)
    return extensions


def _finish(conn: Connection, database: Database, settings: Settings, on_progress: Callable[[str], None]) -> None:
    """Set up what is not part of a revision. Call this after the schema has reached its heads."""
    _validate_constraints(conn, on_progress)
    on_progress("setting up the gateway")
    _point(conn, database, settings)
    with conn.begin():
        repair(conn, database.roles)


def downgrade(database: Database, settings: Settings, revision: str) -> None:
    with migrating(database, settings) as (config, _, _), _translating():
        command.downgrade(config, revision)


def drift(database: Database, settings: Settings) -> None:
    """Compare the database with `db/tables/`. Raises SchemaMismatch with the differences."""
    with migrating(database, settings) as (config, _, _):
        try:
            command.check(config)
        except CommandError as error:
            raise SchemaMismatch(str(error), hint='Run "windowshop db upgrade".') from error


def new_revision(database: Database, settings: Settings, message: str) -> Path:
    """Write a project revision from the differences between the database and `db/tables/`."""
    number = f"{int(schema.HEAD) + 1:04d}"
    with migrating(database, settings) as (config, _, _), _translating():
        script = command.revision(
            config,
            message=message,
            autogenerate=True,
            rev_id=number,
            head=schema.HEAD,
            version_path=str(PROJECT_REVISIONS),
        )
    assert script is not None
    assert not isinstance(script, list)  # a single revision was requested
    return Path(script.path)


def scripts(home: Path) -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(home))


@contextmanager
def migrating(
    database: Database, settings: Settings, *, check: Callable[[Connection, Roles], None] = lambda _, __: None
) -> Iterator[tuple[Config, Connection, Extensions]]:
    """Hold the migration lock and run `prepare`. Yield three values: Alembic's configuration, the connection of the
    migration, and the schemas of the extensions. The connection acts as the owner.

    `check` is called before anything in the database is changed.
    """
    create_embedded_database(database)
    refuse_transaction_pooler(database, None, "an upgrade")
    engine = database.engine(None)
    with engine.connect() as lock, engine.connect() as conn:
        _lock(lock, database.roles.owner)
        _require_administrator(conn, database.roles)
        check(conn, database.roles)
        with conn.begin():
            created = missing_logins(conn, database.roles)
            extensions = prepare(conn, database.roles)
        give_passwords(conn, database, created, settings.login_passwords)
        owner = conn.dialect.identifier_preparer.quote(database.roles.owner)
        conn.execute(text(f"set role {owner}"))
        _search_extensions(conn, extensions)
        conn.execute(text("set lock_timeout = '5s'"))
        restore(conn, site_revisions(settings.home))
        conn.commit()
        config = _config(settings.home)
        config.attributes.update(
            connection=conn,
            roles=database.roles.by_word(),
            schemas=extensions.by_word(),
        )
        yield config, conn, extensions


def _require_administrator(conn: Connection, roles: Roles) -> None:
    """Raise LoginRefused if the site exists and this login, such as that of an encoder, is no member of the owner
    role."""
    other = text(
        "select current_user::text from pg_roles where rolname = :owner and not pg_has_role(oid, 'member') "
        "and to_regnamespace('shop') is not null"
    )
    with conn.begin():
        user = conn.scalar(other, {"owner": roles.owner})
    if user is not None:
        raise LoginRefused(
            f"the login {user} does not administer this site",
            hint=f"Set WINDOWSHOP_DATABASE_URL to the address of a superuser, or of a member of {roles.owner}.",
        )


def _check_dependents(conn: Connection, roles: Roles) -> None:
    """Check for dependent objects in a transaction that is rolled back.

    If the schema does not exist yet or this login may not act as the owner, the function checks nothing. The upgrade
    itself then checks for dependent objects.
    """
    with conn.begin() as attempt:
        revision, extensions = schema.applied(conn), installed(conn)
        may_act = text("select pg_has_role(current_user, to_regrole(quote_ident(:owner)), 'set')")
        if revision is None or extensions is None or not conn.scalar(may_act, {"owner": roles.owner}):
            return
        if revision > schema.HEAD:  # Alembic reports a schema that is ahead of this code
            return
        conn.execute(text(f"set local role {conn.dialect.identifier_preparer.quote(roles.owner)}"))
        _search_extensions(conn, extensions)
        check_dependents(conn, read_files(conn, roles.by_word(), extensions.by_word()))
        attempt.rollback()


def _search_extensions(conn: Connection, extensions: Extensions) -> None:
    """Set the search path, so that revisions and function files can name objects of extensions without a schema."""
    quote = conn.dialect.identifier_preparer.quote
    conn.execute(text(f"set search_path = {quote(extensions.vector)}, {quote(extensions.pg_trgm)}"))
    conn.execute(text("select show_limit()"))  # loads pg_trgm, whose settings some functions set


def _validate_constraints(conn: Connection, on_progress: Callable[[str], None]) -> None:
    """Check the rows that were stored before a constraint was added, while searches and loads continue.

    A revision cannot do this, because the transaction that adds a constraint blocks searches of the table until it
    ends.
    """
    conn.commit()
    with conn.begin():
        unchecked = conn.execute(
            text(
                "select conrelid::regclass::text, quote_ident(conname) from pg_constraint where not convalidated "
                "and contype = 'c' and connamespace in (to_regnamespace('shop'), to_regnamespace('shop_private'))"
            )
        ).all()
    for table, constraint in unchecked:
        try:
            with conn.begin():
                conn.execute(text(f"alter table {table} validate constraint {constraint}"))
        except DatabaseError as error:
            on_progress(f"{error.message}; correct these rows and run the upgrade again")


def adopt(database: Database, settings: Settings) -> None:
    """Point the gateway to this database and give it a new password. No revision and no function is applied."""
    with migrating(database, settings) as (_, conn, _):
        with conn.begin():
            schema.check(conn)
        _point(conn, database, settings, renew=True)


def _point(conn: Connection, database: Database, settings: Settings, *, renew: bool = False) -> None:
    if conn.in_transaction():
        conn.commit()
    password = settings.gateway_password.get_secret_value() if settings.gateway_password else None
    if database.password is not None:
        password = database.password(database.roles.gateway)
    with conn.begin():
        conn.execute(text("reset role"))
        port = settings.gateway_port or int(conn.scalar(text("select current_setting('port')")) or PORT)
        listed = _gateway_hosts(database, settings, port)
        point_gateway(
            conn, database.roles, listed, password, renew=renew, root_certificate=settings.gateway_sslrootcert
        )
        restrict(conn, is_embedded=database.is_embedded)
        watch_row_security(conn)
    with conn.begin():
        gateway.reach(conn, database.roles)


def _gateway_hosts(database: Database, settings: Settings, port: int) -> Sequence[tuple[str, int | None]]:
    """Return the hosts at which the server reaches itself. `port` is used for a host without a port of its own."""
    if (named := named_hosts(settings, port)) is not None:
        return named
    listed = hosts(database.url(None))
    return listed if len(listed) > 1 else [(listed[0][0] if listed else "127.0.0.1", port)]


def _config(home: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "newline")
    locations = [str(PROJECT_REVISIONS)]
    if site_revisions(home).is_dir():
        locations.append(str(site_revisions(home)))
    config.set_main_option("version_locations", "\n".join(locations))
    return config


def _lock(conn: Connection, owner: str) -> None:
    """Take the migration lock. While another migration holds the lock, try again for up to ten minutes.

    The function does not wait inside pg_advisory_lock, because such a wait can look like a deadlock to a concurrent
    index build.
    """
    deadline = time.monotonic() + 600
    while not hold(conn, Lock.UPGRADE, owner):
        conn.commit()
        if time.monotonic() > deadline:
            raise DatabaseError("another migration has held the lock for ten minutes")
        time.sleep(0.2)
    conn.commit()


def create_embedded_database(database: Database) -> None:
    """Create the database of the embedded server if it is missing. On any other server, the database must exist."""
    if not database.is_embedded:
        return
    url = database.url(None)
    with psycopg.connect(
        url.set(drivername="postgresql", database="postgres").render_as_string(False),
        autocommit=True,
        application_name=ADMINISTRATION,
    ) as conn:
        if conn.execute("select 1 from pg_database where datname = %s", (url.database,)).fetchone() is None:
            conn.execute(psycopg.sql.SQL("create database {}").format(psycopg.sql.Identifier(url.database or DATABASE)))


@contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise translated(error) from error
    except CommandError as error:
        raise SchemaMismatch(
            str(error),
            hint="The database has a revision that this installation does not know. It comes from a newer Windowshop, "
            "or from a model that an earlier Windowshop added with another WINDOWSHOP_HOME. In the second case, "
            "run the upgrade once with that home.",
        ) from error
