-- Returns the step of shop.explain_search that shows how the operators of a query were read. Returns no row if the
-- query has no operator.
create or replace function shop_private.explain_operators(p_request shop_private.search_request)
returns setof shop.search_step
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    parsed constant shop_private.parsed_query := p_request.parsed;
begin
    return query
    select 'operators', null::text, null::text, null::integer, null::integer, null::bigint, null::double precision,
        concat_ws('; ', 'searched: ' || coalesce(parsed.words, 'nothing'),
            (select string_agg(format('phrase "%s"', w), '; ') from unnest(parsed.phrases) w),
            (select string_agg(format('without "%s"', w), '; ') from unnest(parsed.excluded) w),
            (select string_agg(format('%s%s:"%s"', case when (f -> 'not')::boolean then 'not ' else '' end,
                f ->> 'field', f ->> 'value'), '; ') from jsonb_array_elements(parsed.fields) f))
    where parsed.typed is not null;
end $$;
