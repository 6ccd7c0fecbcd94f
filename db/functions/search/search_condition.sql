-- Returns the condition on p (shop.product) that a request makes by its catalog, its filter and the operators in its
-- query. The function needs no SET clause, because it runs under the search_path of run_search.
create or replace function shop_private.search_condition(p_request shop_private.search_request)
returns text
language plpgsql stable as $$
declare
    in_catalog constant text := shop_private.catalog_condition(p_request.catalog);
    passes text;
begin
    if p_request.filter is null and (p_request.parsed).condition is null then
        return in_catalog;
    end if;
    passes := concat_ws(' and ', nullif(format('(%s)', shop_private.filter_condition(p_request.filter)), '(true)'),
        (p_request.parsed).condition);
    return coalesce(nullif(concat_ws(' and ', nullif(in_catalog, 'true'), nullif(passes, '')), ''), 'true');
end $$;
