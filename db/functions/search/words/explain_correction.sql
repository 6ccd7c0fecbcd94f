-- Returns the step of shop.explain_search that shows how the words of a query were corrected. Returns no row if no word
-- was corrected.
create or replace function shop_private.explain_correction(p_typed text, p_leg shop_private.leg, p_products bigint)
returns setof shop.search_step
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return query
    select 'correction', null::text, null::text, null::integer, null::integer, null::bigint, null::double precision,
        format('no product has %s; searched: %s', array_to_string(p_leg.misspelt, ', '), c.corrected)
    from shop_private.corrected_query(p_typed, p_leg, p_products) c(corrected) where c.corrected is not null;
end $$;
