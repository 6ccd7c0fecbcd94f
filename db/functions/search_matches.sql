-- The products that meet a condition on p (shop.product), if they are at most p_most; else null. Counting stops there.
create or replace function shop_private.search_matches(p_condition text, p_most bigint)
returns uuid[]
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    matched uuid[];
begin
    execute format('select array_agg(m.product_id) from (
        select p.product_id from shop.product p where %s limit %s) m', p_condition, p_most + 1) into matched;
    return case when coalesce(cardinality(matched), 0) <= p_most then coalesce(matched, '{}') end;
end $$;
