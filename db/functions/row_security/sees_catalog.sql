-- Returns whether the caller sees a product of a catalog. The policy of shop.catalog calls this function. Only nested
-- loops over indexes end at the first product, so the other plans are disabled.
create or replace function shop_private.sees_catalog(p_catalog text)
returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
    found_one boolean;
begin
    execute format('select exists (select from %s p where p.catalog = $1)', shop_private.visible_products())
    into found_one using p_catalog;
    return found_one;
end $$;
