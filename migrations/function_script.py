"""Writes an SQL script for psql that creates the functions, views and types of db/functions.

On an open connection, `function_files.py` creates the same objects.
"""

import re
from collections.abc import Iterator, Mapping

from db.roles import Roles
from migrations.comments import header_comments, wanted_table_comments
from migrations.function_files import DEFINED, FROZEN, RESULT_TYPE, named_files
from migrations.operations.locking import SHARE_ROW_EXCLUSIVE, lock_in_order


def function_statements(roles: Roles, schemas: Mapping[str, str]) -> Iterator[str]:
    """Yield the statements that create every function, view and result type again, in one transaction.

    A function whose arguments or result have changed is dropped first. If an object depends on such a function, the
    script stops. Functions that no file defines any more are dropped before the grants.
    """
    files = named_files(roles.by_word(), schemas)
    defined = {name for _, text in files for name in DEFINED.findall(text)} | FROZEN
    ours = ", ".join(f"('{schema}', '{name}')" for schema, name in sorted(defined))
    frozen = ", ".join(f"('{schema}', '{name}')" for schema, name in sorted(FROZEN))
    yield ";\n".join(wanted_table_comments())
    yield (
        "create temporary table windowshop_before on commit drop as select p.oid, p.xmin::text as version "
        "from pg_catalog.pg_proc p where p.proowner = current_user::regrole and (p.pronamespace = "
        f"'shop_private'::regnamespace or (p.pronamespace::regnamespace::text, p.proname) in ({ours})) "
        f"and (p.pronamespace::regnamespace::text, p.proname) not in ({frozen})"
    )
    yield lock_in_order(SHARE_ROW_EXCLUSIVE)  # for the triggers
    granted = [name for name, _ in files].index("grants")
    for _, text in files[:granted]:
        yield from _with_types(text)
    # If no file has replaced a function, its row in pg_proc is still the version that windowshop_before stores. The
    # grants come after this block, because they write a new version of each row.
    yield """do $$ declare stale text; begin
    select string_agg(b.oid::regprocedure::text, ', ') into stale
    from windowshop_before b join pg_catalog.pg_proc p on p.oid = b.oid where p.xmin::text = b.version;
    if stale is not null then execute 'drop routine ' || stale; end if;
end $$"""
    for _, text in files[granted:]:
        yield from _with_types(text)
    yield ";\n".join(header_comments(files))


_FUNCTION = re.compile(
    r"^create or replace (function|procedure) ((?:shop|shop_private)\.\w+)\b"
    r".*?(?:\bas (\$\w*\$).*?\3[^;]*;|\breturn\b[^;]*;)",
    re.DOTALL | re.MULTILINE,
)


def _with_types(text: str) -> Iterator[str]:
    """Yield a file's SQL, in which each function and each result type is replaced by a block that can run again."""
    text = _FUNCTION.sub(lambda found: _replacement(found[0], found[2]), text)
    yield RESULT_TYPE.sub(lambda found: _grown(found[0], found[1]), text).strip().removesuffix(";")


def _replacement(definition: str, name: str) -> str:
    return f"""do $windowshop$ begin
    execute $definition${definition.rstrip(";")}$definition$;
exception when invalid_function_definition then
    execute (select 'drop routine ' || string_agg(oid::regprocedure::text, ', ') from pg_catalog.pg_proc
        where pronamespace::regnamespace::text || '.' || proname = '{name}');
    execute $definition${definition.rstrip(";")}$definition$;
end $windowshop$;"""


def _grown(definition: str, name: str) -> str:
    """Return a block that creates a type, or adds the columns that the type lacks."""
    other = definition.replace(f"create type {name}", "create type shop_private.grown_type", 1)
    return f"""do $windowshop$ declare missing record; begin
    if to_regtype('{name}') is null then
        execute $definition${definition.rstrip(";")}$definition$;
        return;
    end if;
    execute $definition${other.rstrip(";")}$definition$;
    for missing in select attname, format_type(atttypid, atttypmod) as kind from pg_catalog.pg_attribute
        where attrelid = 'shop_private.grown_type'::regclass and attname not in (
            select attname from pg_catalog.pg_attribute where attrelid = '{name}'::regclass) order by attnum
    loop
        execute format('alter type {name} add attribute %I %s', missing.attname, missing.kind);
    end loop;
    drop type shop_private.grown_type;
end $windowshop$;"""
