-- Returns the SKUs of the first p_k products of a query of suite_queries, as a JSON array. If statement_timeout passes
-- while a search reads its signals, the search goes on without them. The function then raises the error of the timeout,
-- because the page is ranked without signals.
create or replace function shop_private.suite_page(p_query jsonb, p_k integer)
returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    page jsonb;
begin
    select coalesce(jsonb_agg(s.sku order by s.rank), '[]') into page
    from shop.search(
        query => p_query ->> 'query',
        image => (select j.picture from shop.judgement j
            where j.judgement_id = (p_query ->> 'picture_of')::bigint),
        inputs => case when p_query ->> 'picture_sku' is not null
            then jsonb_build_array(jsonb_build_object('sku', p_query ->> 'picture_sku')) end,
        k => p_k, catalog => p_query ->> 'catalog') s;
    if shop_private.timed_out() then
        raise exception using errcode = '57014', message = 'canceling statement due to statement timeout';
    end if;
    return page;
end $$;
