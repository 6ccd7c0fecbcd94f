-- Returns, for each query vector, the ids of the exact p_k nearest products among the products that meet p_condition,
-- nearest first. The ids of a query are an array that is cast to text. p_products[n] is the product whose image is
-- query n, or null if query n is a text. The array of a query excludes the query's own product.
create or replace function shop_private.calibration_truth(
    p_queries @vector@.halfvec[], p_products uuid[], p_condition text, p_k integer, p_table regclass
)
returns text[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    truth text[] := '{}';
    nearest uuid[];
    n integer;
begin
    for n in 1..cardinality(p_queries) loop
        nearest := (shop_private.exact_leg('image', p_queries[n], p_condition, null, p_k + 1, 1, p_table)).product_ids;
        if p_products[n] is not null then
            nearest := array_remove(nearest, p_products[n]);
        end if;
        truth := truth || coalesce(nearest[:p_k], '{}')::text;
    end loop;
    return truth;
end $$;
