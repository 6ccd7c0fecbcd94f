"""Finds the objects of a site that depend on our functions and types: views, functions, policies, columns and others.

PostgreSQL does not drop an object on which another object depends. Some upgrades must drop and create a function, or
add a column to a result type. Such an upgrade looks for dependent objects before its first change, and stops if one of
them belongs to the site and not to Windowshop.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from db.errors import DependentObjects

# Follows pg_depend from the given objects. If a view calls a function, pg_depend says that the rule of the view depends
# on the function, not the view itself. The query therefore returns the view in place of its rule. Only entries with the
# deptype n count as dependent objects. Entries with another deptype, such as the row type of a view or the index of a
# materialized view, are parts of a dependent object.
_CLOSURE = """
with recursive dependent (classid, objid, objsubid, deptype) as (
    select cast(:catalog as regclass)::oid, o, 0, 'i'::"char" from unnest(cast(:oids as oid[])) o
    union
    select case when r.oid is null then d.classid else 'pg_class'::regclass end,
        coalesce(r.ev_class, d.objid), case when r.oid is null then d.objsubid else 0 end, d.deptype
    from dependent u
    join pg_depend d on d.refclassid = u.classid and d.refobjid = u.objid
        and (u.objsubid = 0 or d.refobjsubid = u.objsubid)
    left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid and r.rulename = '_RETURN'
    where d.deptype in ('n', 'a', 'i')
)
select distinct i.type, i.identity, u.classid::regclass::text as catalog, u.objid as oid, n.nspname as schema,
    coalesce(p.proname, c.relname) as name,
    -- a table that stores whole rows of the type, or a function that returns such rows and whose body is stored parsed
    coalesce(u.objsubid > 0 and c.relkind in ('r', 'm', 'p', 'f'), false)
        or coalesce(p.prosqlbody is not null and p.prorettype in (select t.objid from dependent t
            where t.classid = 'pg_type'::regclass), false) as holds_rows
from dependent u
cross join pg_identify_object(u.classid, u.objid, u.objsubid) i
left join pg_proc p on u.classid = 'pg_proc'::regclass and p.oid = u.objid
left join pg_trigger t on u.classid = 'pg_trigger'::regclass and t.oid = u.objid
left join pg_class c on (u.classid = 'pg_class'::regclass and c.oid = u.objid) or c.oid = t.tgrelid
left join pg_namespace n on n.oid = coalesce(p.pronamespace, c.relnamespace)
where u.deptype = 'n' and u.classid <> 'pg_type'::regclass
order by i.type, i.identity
"""


@dataclass(frozen=True)
class Dependent:
    kind: str  # PostgreSQL's name of the kind, such as "view" or "table column"
    identity: str  # schema-qualified
    catalog: str
    oid: int
    schema: str | None
    name: str | None
    holds_rows: bool  # stores or returns whole rows of the changed type

    def __str__(self) -> str:
        return f"{self.kind} {self.identity}"


def dependents(conn: Connection, catalog: str, oids: Sequence[int]) -> list[Dependent]:
    """Return all objects that depend on these rows of `pg_proc` or `pg_type`, directly or indirectly."""
    rows = conn.execute(text(_CLOSURE), {"catalog": catalog, "oids": list(oids)})
    return [Dependent(*row) for row in rows]


def refuse(changed: Sequence[str], blocking: Sequence[Dependent]) -> None:
    """Raise DependentObjects if any object is blocking."""
    if blocking:
        raise DependentObjects(
            f"this upgrade changes {', '.join(changed)}, on which objects of this site depend: "
            + ", ".join(map(str, blocking)),
            hint="Nothing was changed. Save the definitions of these objects (pg_dump --schema-only), drop the "
            'objects, run "windowshop db upgrade" again, and create the objects again.',
        )
