-- Returns the products that pass a cut (p_product_ids) and the products that the query's text names (p_exact), each
-- product once.
create or replace function shop_private.cut_with_exact(p_product_ids uuid[], p_exact shop_private.exact_match[])
returns uuid[]
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select array(select u from unnest(p_product_ids) u union select e.product_id from unnest(p_exact) e)
$$;
