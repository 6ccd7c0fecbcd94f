-- Returns the identity of this database: the identifier of the server's data and the number of the database. A dump
-- contains neither of them, so a database that was restored from a dump has another identity. A streaming replica has
-- the identity of its primary.
create or replace function shop_private.database_identity() returns text
language sql stable as $$
    select (select c.system_identifier from pg_catalog.pg_control_system() c) || '/'
        || (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
$$;
