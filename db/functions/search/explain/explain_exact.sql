-- Returns the step of shop.explain_search that shows how many products the query's text names, and by which fields.
-- Returns no row if the text names no product.
create or replace function shop_private.explain_exact(p_run shop_private.search_run)
returns setof shop.search_step
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return query
    select 'exact', null::text, null::text, null::integer, sum(e.products)::integer, null::bigint, p_run.exact_ms,
        'come first: ' || string_agg(e.products || ' by ' || e.field, ', ' order by e.field)
    from (select m.field, count(*) as products from unnest(p_run.exact) m group by m.field) e
    having count(*) > 0;
end $$;
