-- Returns the time in microseconds that a search takes for each matching product if it compares all of them with the
-- query (the exact route). The function times searches with few matching products (at most @calibration_few_products@)
-- and with many matching products (at most @calibration_many_products@). The result is the difference of the two times
-- divided by the difference of the two numbers, so it excludes the fixed cost of a search. The result is at least
-- @least_exact_us@. Returns null for a site of at most 1,000 products, because the two numbers would be too close to
-- each other.
create or replace function shop_private.calibration_exact_cost(
    p_queries @vector@.halfvec[], p_k integer, p_table regclass
)
returns double precision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    drawn constant uuid[] := array(select p.product_id from shop.product p order by 1);
    products constant integer := cardinality(drawn);
    few constant integer := least(@calibration_few_products@, products / 4);
    many constant integer := least(@calibration_many_products@, products);
    few_ms double precision;
    many_ms double precision;
begin
    if products <= 1000 then
        return null;
    end if;
    few_ms := shop_private.calibration_exact_ms(p_queries, drawn, few, p_k, p_table);
    many_ms := shop_private.calibration_exact_ms(p_queries, drawn, many, p_k, p_table);
    return greatest(@least_exact_us@, 1000 * (many_ms - few_ms) / (many - few));
end $$;
