-- Returns the condition on p (shop.product) for a request's catalog and filter. The function has no SET clause, because
-- it runs under the settings of run_search.
create or replace function shop_private.search_condition(p_request shop_private.search_request)
returns text
language plpgsql stable as $$
declare
    in_catalog constant text := shop_private.catalog_condition(p_request.catalog);
    passes text;
begin
    if p_request.filter is null then
        return in_catalog;
    end if;
    passes := format('(%s)', shop_private.filter_condition(p_request.filter));
    return case when in_catalog <> 'true' then in_catalog || ' and ' || passes
        when passes = '(true)' then 'true' else passes end;
end $$;
