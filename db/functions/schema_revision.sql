-- The project's newest applied revision; the site's own ones (models) are not numbered. For every role: a process asks
-- this before it works.
create or replace function shop.schema_revision()
returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select max(version_num) from shop_private.alembic_version where version_num ~ '^[0-9]{4}$';
$$;
