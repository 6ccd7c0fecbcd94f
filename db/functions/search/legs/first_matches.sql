-- Returns the ids of the first p_most products, in the order of the table, that meet p_condition, a condition on p
-- (shop.product). The vectors of the products are stored in about the same order, so comparing them reads few pages.
-- Under a policy with a subquery, the products come in the order of the rows that the subquery reads (see
-- visible_products, whose result is p_source). Only nested loops are then used, because they end as soon as p_most
-- products are found.
create or replace function shop_private.first_matches(
    p_condition text, p_most bigint, p_source text default shop_private.visible_products()
)
returns uuid[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set jit = off
set enable_indexscan = off
set enable_indexonlyscan = off
set enable_hashjoin = on
set enable_mergejoin = on
as $$
declare
    matched uuid[];
begin
    if p_source <> 'shop.product' then
        perform set_config('enable_indexscan', 'on', true), set_config('enable_indexonlyscan', 'on', true),
            set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true);
    end if;
    execute format('select array_agg(m.product_id) from (
        select p.product_id from %s p where %s limit %s) m', p_source, p_condition, p_most) into matched;
    return coalesce(matched, '{}');
end $$;
