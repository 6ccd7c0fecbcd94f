"""Finds the extensions that Windowshop uses and PostgreSQL can update."""

# The extensions of this database that are older than the server's packages. An extension that is newer than its package
# is not listed, because PostgreSQL has no update path to an older version.
OLDER = """\
select e.extname from pg_extension e join pg_available_extensions a on a.name = e.extname
where e.extname in ('vector', 'pg_prewarm', 'dblink', 'pg_trgm') and e.extversion <> a.default_version
and exists (select from pg_extension_update_paths(a.name) p
    where p.source = e.extversion and p.target = a.default_version and p.path is not null)"""
