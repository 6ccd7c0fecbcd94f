"""Writes, as SQL for psql (`--sql`), the parts of an upgrade that are no revisions: what `migrations/prepare.py`,
`logins.py`, `gateway.py`, `restrict.py` and `row_security.py` do on a connection.

Some steps of the script depend on the database. DO blocks choose these steps when psql runs the script.
"""

from collections.abc import Iterator, Sequence

from psycopg import sql
from sqlalchemy.dialects import postgresql

from db.addresses import hosts, parse
from db.lifecycle.extensions import OLDER
from db.lifecycle.gateway import DATABASE_SETTINGS, SERVER
from db.roles import LOGINS, Role, Roles
from db.schema import HEAD
from db.settings import Settings
from migrations.gateway import named_hosts, server_options
from migrations.logins import GROUPS
from migrations.prepare import DBLINK_SCHEMA, TRGM_SCHEMA
from migrations.row_security import EVENT_TRIGGER, TAGS

SCHEMAS = {"vector": "public", "dblink": DBLINK_SCHEMA, "trgm": TRGM_SCHEMA}
_quote = postgresql.dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]  # SQLAlchemy has no types here


def head(roles: Roles, start: Sequence[str]) -> str:
    """Return the beginning of the script: comments, checks, extensions, roles and schemas. At its end, the session
    begins to act as the owner."""
    logins = ", ".join(roles[role] for role in LOGINS if role is not Role.GATEWAY)
    at = ", ".join(start) or "an empty database"
    return f"""\
-- Upgrade of Windowshop's schema from {at} to revision {HEAD}.
--
--   psql -X --set ON_ERROR_STOP=1 --file upgrade.sql "$ADMIN_URL"
--
-- Run it with psql, as a superuser or as the owner of the database, outside a transaction: indexes are built
-- concurrently, and \\gexec runs statements that a query has found. Each part is a transaction. After an error, read
-- the revision in shop_private.alembic_version, and write the script again from this revision.
--
-- This script does not contain:
--   - the passwords of the logins {logins}.
--     Set each of them: \\password {roles[Role.WEB_READER]}
--   - the password of {roles.gateway}. The database creates a random password if the gateway has none, or if the
--     database is a copy and no other database of the server uses this role.
--   - WINDOWSHOP_GATEWAY_PASSWORD, and passwords in WINDOWSHOP_LOGIN_PASSWORDS.
--   - updates of extensions, unless a superuser runs the script.
--   - rights that other roles have on functions whose arguments change: grant them again.
-- Afterwards, "windowshop db check" compares the database with this version.
\\set ON_ERROR_STOP 1
begin;
{_checks(start)}
{"".join(_roles(roles))}
{"".join(_schemas(roles))}
commit;
set role {_quote(roles.owner)};
set search_path = {SCHEMAS["vector"]}, {SCHEMAS["trgm"]};
select {SCHEMAS["trgm"]}.show_limit();
set lock_timeout = '5s';

"""


def _checks(start: Sequence[str]) -> str:
    found = "(select array_agg(version_num) from shop_private.alembic_version)"
    if start:
        listed = ", ".join(sql.Literal(one).as_string(None) for one in start)
        at = f"""
    if to_regclass('shop_private.alembic_version') is null then
        raise exception 'the database has no Windowshop schema';
    elsif not {found}::text[] @> array[{listed}]::text[] then
        raise exception 'the database is at revision %', {found};
    end if;"""
    else:
        at = f"""
    if to_regclass('shop_private.alembic_version') is not null then
        raise exception 'the database has a Windowshop schema at revision %', {found};
    end if;"""
    wanted = ", ".join(f"('{name}', '{schema}')" for name, schema in _extensions())
    return f"""
do $$
declare
    other record;
    older name;
    superuser constant boolean := (select rolsuper from pg_roles where rolname = current_user);
begin
    if current_setting('server_version_num')::int < 170000 then
        raise exception 'this PostgreSQL is older than 17';
    end if;
    if current_setting('server_encoding') <> 'UTF8' then
        raise exception 'this database is encoded in %', current_setting('server_encoding');
    end if;
    if superuser then
        create extension if not exists vector;
        if exists (select from pg_available_extensions where name = 'pg_prewarm') then
            create extension if not exists pg_prewarm;
        end if;
        if not exists (select from pg_extension where extname = 'dblink') then
            create schema if not exists {DBLINK_SCHEMA};
            create extension dblink schema {DBLINK_SCHEMA};
            revoke execute on all functions in schema {DBLINK_SCHEMA} from public;
        end if;
    end if;
    if not exists (select from pg_extension where extname = 'pg_trgm') then
        create schema if not exists {TRGM_SCHEMA};
        create extension pg_trgm schema {TRGM_SCHEMA};
    end if;
    if superuser then
        for older in {OLDER}
        loop
            execute format('alter extension %I update', older);
        end loop;
    end if;
    for other in select w.name, w.schema, e.extnamespace::regnamespace::text as present
        from (values {wanted}) w (name, schema) left join pg_extension e on e.extname = w.name
        where e.extnamespace::regnamespace::text is distinct from w.schema
    loop
        raise exception 'this script needs the extension % in schema %, and it is in %', other.name, other.schema,
            coalesce(other.present, 'no schema');
    end loop;
    if exists (select from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        where p.pronamespace = to_regnamespace('{DBLINK_SCHEMA}') and p.proname like 'dblink%' and a.grantee = 0) then
        raise exception 'PUBLIC may execute dblink''s functions: every user could connect from the server';
    end if;{at}
end $$;"""


def _extensions() -> list[tuple[str, str]]:
    return [("vector", SCHEMAS["vector"]), ("dblink", DBLINK_SCHEMA), ("pg_trgm", TRGM_SCHEMA)]


def _roles(roles: Roles) -> Iterator[str]:
    for role in Role:
        login = "nologin" if role in GROUPS else "login"
        yield (
            f"do $$ begin create role {_quote(roles[role])} {login}; "
            "exception when duplicate_object or unique_violation then null; end $$;\n"
        )
    for role, rules in LOGINS.items():
        if rules.group is not None:
            group, name = _quote(roles[rules.group]), _quote(roles[role])
            yield f"grant {group} to {name} with inherit true, set false;\n"
    owner = sql.Literal(roles.owner).as_string(None)
    yield f"""do $$ begin
    if not (pg_has_role({owner}, 'usage') and pg_has_role({owner}, 'set')) then
        execute 'grant {_quote(roles.owner)} to current_user with inherit true, set true';
    end if;
end $$;
"""


def _schemas(roles: Roles) -> Iterator[str]:
    owner = _quote(roles.owner)
    yield f"grant usage on schema {TRGM_SCHEMA} to {', '.join(map(_quote, roles.all))};\n"
    for schema in ("shop", "shop_private", "shop_jobs", "shop_signals"):
        yield f"create schema if not exists {schema} authorization {owner};\n"
    yield f"grant usage on schema {DBLINK_SCHEMA} to {owner};\n"
    yield f"grant execute on all functions in schema {DBLINK_SCHEMA} to {owner};\n"
    yield f"alter default privileges for role {owner} revoke execute on routines from public;\n"


def tail(roles: Roles, settings: Settings) -> str:
    """Return the end of the script, which validates constraints, and sets up the gateway, the event trigger and the
    limits of the logins."""
    return f"""
do $$ declare unchecked record; begin
    for unchecked in select conrelid::regclass::text as relation, quote_ident(conname) as name from pg_constraint
        where not convalidated and contype = 'c'
        and connamespace in ('shop'::regnamespace, 'shop_private'::regnamespace)
    loop
        execute format('alter table %s validate constraint %s', unchecked.relation, unchecked.name);
    end loop;
end $$;
reset role;
begin;
{_gateway(roles, settings)}
{_restrictions()}
{"".join(_limits(roles))}commit;
"""


def _gateway(roles: Roles, settings: Settings) -> str:
    listed = listed_hosts(settings)
    options = server_options(listed, "", settings.gateway_sslrootcert)
    values = ", ".join(f"({sql.Literal(k).as_string(None)}, {_option(k, v, listed)})" for k, v in options.items())
    owner, gateway = (sql.Literal(name).as_string(None) for name in (roles.owner, roles.gateway))
    settings_of_database = "\n    ".join(
        f"execute format('alter database %I set {name} = {value}', current_database());"
        for name, value in DATABASE_SETTINGS.items()
    )
    return f"""
do $$
declare
    others constant text := (
        select string_agg(distinct d.datname, ', ') from pg_shdepend s join pg_database d on d.oid = s.dbid
        where s.refclassid = 'pg_authid'::regclass and s.refobjid = to_regrole({gateway})
        and d.datname <> current_database());
    mapped boolean := exists (select from pg_user_mappings where srvname = '{SERVER}' and usename = {owner});
    is_copy constant boolean := shop_private.gateway_is_elsewhere();
    verbs text;
    password constant text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
    present constant text[] := (
        select coalesce(array_agg(split_part(o, '=', 1)), '{{}}') from pg_foreign_server, unnest(srvoptions) o
        where srvname = '{SERVER}');
begin
    if not exists (select from pg_foreign_server where srvname = '{SERVER}') then
        create server {SERVER} foreign data wrapper dblink_fdw;
    end if;
    select string_agg(format('%s %I %L', case when name = any(present) then 'set' else 'add' end, name, value), ', ')
    into verbs from (values {values}) wanted (name, value);
    execute format('alter server {SERVER} version %L options (%s)', shop_private.database_identity(), verbs);
    grant usage on foreign server {SERVER} to {_quote(roles.owner)};
    if mapped and is_copy and others is null then  -- the original and its dumps have the password of the mapping
        execute format('drop user mapping for %I server {SERVER}', {owner});
        mapped := false;
    end if;
    if not mapped then
        if others is not null then
            raise exception 'role % is also used by database %, with an unknown password', {gateway}, others
            using hint = 'Create the user mapping of {SERVER} for {roles.owner} with this password, and run the end '
                'of the script from here again.';
        end if;
        execute format('alter role %I password %L', {gateway}, password);
        execute format('create user mapping for %I server {SERVER} options ("user" %L, password %L)', {owner},
            {gateway}, password);
    end if;
    perform '[1]'::{SCHEMAS["vector"]}.vector;  -- loads pgvector, which defines its settings
    {settings_of_database}
end $$;"""


def _option(name: str, value: str, listed: Sequence[tuple[str, int | None]]) -> str:
    """Return the SQL of an option's value. The database and its port are known only when the script is run."""
    if name == "dbname":
        return "current_database()::text"
    if name == "port":
        ports = [f"'{port}'" if port else "current_setting('port')" for _, port in listed]
        return f"concat_ws(',', {', '.join(ports)})"
    return sql.Literal(value).as_string(None)


def listed_hosts(settings: Settings) -> Sequence[tuple[str, int | None]]:
    """Return the hosts of the gateway. Raises SettingsError for a wrong address of the database or the gateway."""
    port = settings.gateway_port
    if (named := named_hosts(settings, port)) is not None:
        return named
    found: list[tuple[str, int]] = []
    if settings.database_url is not None:
        found = hosts(parse("WINDOWSHOP_DATABASE_URL", settings.database_url.get_secret_value(), writes=True))
    if len(found) > 1:
        return list(found)
    return [(found[0][0] if found else "127.0.0.1", port)]


def _restrictions() -> str:
    tags = ", ".join(f"'{tag}'" for tag in TAGS)
    return f"""
do $$ declare large text; begin
    if not (select rolsuper from pg_roles where rolname = current_user) then
        return;
    end if;
    select string_agg(p.oid::regprocedure::text, ', ') into large from pg_proc p
    where p.pronamespace = 'pg_catalog'::regnamespace
    and (p.proname like 'lo\\_%' or p.proname in ('loread', 'lowrite'))
    and exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0)
    and not exists (select from pg_largeobject_metadata);
    if large is not null then
        execute 'revoke execute on function ' || large || ' from public';
    end if;
    drop event trigger if exists {EVENT_TRIGGER};
    create event trigger {EVENT_TRIGGER} on ddl_command_end when tag in ({tags})
        execute function shop_private.row_security_changed();
end $$;"""


def _limits(roles: Roles) -> Iterator[str]:
    usable = (
        "current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int "
        "- current_setting('reserved_connections')::int"
    )
    for role, rules in LOGINS.items():
        name = sql.Literal(roles[role]).as_string(None)
        share = f"greatest(2, floor(({usable}) * {rules.share}))"
        yield f"""do $$ begin
    if (select rolconnlimit from pg_roles where rolname = {name}) < 0 then
        execute format('alter role %I connection limit %s', {name}, {share});
    end if;
end $$;
"""
        for setting, value in rules.settings.items():
            change = f"alter role {_quote(roles[role])} set {setting} = {sql.Literal(value).as_string(None)}"
            if setting == "temp_file_limit":
                change = (
                    f"do $$ begin if has_parameter_privilege('temp_file_limit', 'set') then {change}; end if; end $$"
                )
            yield f"{change};\n"
