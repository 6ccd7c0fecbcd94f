-- Returns the schema revision to which the installed functions belong. Every process checks this revision before it
-- starts work.
create or replace function shop.schema_revision()
returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$ select '@revision@' $$;
