-- Returns the step of shop.explain_search that shows which synonyms a query used. Returns no row if it used none.
create or replace function shop_private.explain_synonyms(p_request shop_private.search_request)
returns setof shop.search_step
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    variants constant text[] := shop_private.text_variants(p_request.query, p_request.synonyms);
begin
    return query
    select 'synonyms', null::text, null::text, null::integer, null::integer, null::bigint, null::double precision,
        format('%s; the vector also has %s', string_agg(
            format('%s: %s', u.typed, array_to_string(u.terms, ', ')), '; ' order by u.first),
            array_to_string(variants, ', '))
    from unnest(p_request.synonyms) u having count(*) > 0;
end $$;
