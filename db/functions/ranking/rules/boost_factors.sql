-- Returns the factor by which rules multiply the score of each product, in the order of p_product_ids. If several rules
-- apply to a product, their factors are multiplied. The result stays in the range of double precision: it is at most
-- 1e100, and 0 if it would be below 1e-100.
create or replace function shop_private.boost_factors(
    p_product_ids uuid[], p_filters jsonb[], p_factors double precision[]
)
returns double precision[]
language plpgsql stable set search_path = pg_catalog, pg_temp
set enable_seqscan = off  -- the products are found by their keys, also in a small table
as $$
declare
    factors double precision[];
    product text;
begin
    select string_agg(format('case when %s then %L::numeric else 1 end',
        shop_private.filter_condition(u.filter), u.factor), ' * ')
    into product from unnest(p_filters, p_factors) u(filter, factor);
    execute format('select array(select case when f.factor >= 1e-100 then least(f.factor, 1e100) else 0 end
        from unnest($1) with ordinality u(product_id, place)
        left join shop.product p on p.product_id = u.product_id cross join lateral (select %s) f(factor)
        order by u.place)', product)
    into factors using p_product_ids;
    return factors;
end $$;
