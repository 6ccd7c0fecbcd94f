-- Returns the ids of the first p_most products, in the order of the table, that meet p_condition, a condition on p
-- (shop.product). The vectors of the products are stored in about the same order, so comparing them reads few pages.
create or replace function shop_private.first_matches(p_condition text, p_most bigint)
returns uuid[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set jit = off
set enable_indexscan = off
set enable_indexonlyscan = off
as $$
declare
    matched uuid[];
begin
    execute format('select array_agg(m.product_id) from (
        select p.product_id from shop.product p where %s limit %s) m', p_condition, p_most) into matched;
    return coalesce(matched, '{}');
end $$;
