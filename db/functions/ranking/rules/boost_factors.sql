-- Returns the factor by which rules multiply the score of each product, in the order of p_product_ids.
create or replace function shop_private.boost_factors(
    p_product_ids uuid[], p_filters jsonb[], p_factors double precision[]
)
returns double precision[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    factors double precision[];
    product text;
begin
    select string_agg(format('case when %s then %L::double precision else 1 end',
        shop_private.filter_condition(u.filter), u.factor), ' * ')
    into product from unnest(p_filters, p_factors) u(filter, factor);
    execute format('select array(select %s from unnest($1) with ordinality u(product_id, place)
        left join shop.product p on p.product_id = u.product_id order by u.place)', product)
    into factors using p_product_ids;
    return factors;
end $$;
