-- Returns the fraction of the pages of shop.product that shop.facets reads. The function is for requests without a cut:
-- such a request counts all products that pass the filter, not only the relevant ones. The fraction is below 1 only if
-- more than @facets_exact_products@ products meet p_condition, a condition on p (shop.product), according to a sample
-- of the pages.
create or replace function shop_private.facet_share(p_condition text) returns double precision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    expected_rows bigint;
    share double precision;
    matches bigint;
begin
    select c.reltuples / c.relpages * (pg_relation_size(c.oid) / current_setting('block_size')::integer)
    into expected_rows
    from pg_class c where c.oid = 'shop.product'::regclass and c.reltuples > 0 and c.relpages > 0;
    if coalesce(expected_rows, 0) <= @facets_exact_products@ then
        return 1;
    end if;
    share := least(1, @facets_sample_products@::double precision / expected_rows);
    execute format('select count(*) from shop.product p tablesample system (%s) repeatable (0) where %s',
        100 * share, p_condition) into matches;
    return case when matches / share > @facets_exact_products@ then share else 1 end;
end $$;
