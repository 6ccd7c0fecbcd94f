-- Locks a catalog until the transaction ends, so that only one transaction at a time creates or deletes its watches.
-- The lock does not stop loads and encoders. An advisory lock could not serve here, because every role may take it. The
-- function runs with the rights of the caller, so nobody locks a catalog that row level security hides.
create or replace function shop_private.watch_lock(p_catalog text)
returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
    select from shop.catalog c where c.catalog = p_catalog for no key update;
$$;
