-- Deletes a watch with its matches. Returns whether there was such a watch.
create or replace function shop.unwatch(name text, catalog text default 'main')
returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    p_name constant text := name;
    p_catalog constant text := catalog;
begin
    perform shop_private.watch_lock(p_catalog);
    delete from shop.watch w where w.name = p_name and w.catalog = p_catalog;
    return found;
end $$;
