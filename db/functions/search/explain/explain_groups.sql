-- Returns the step of shop.explain_search that shows how long it takes to group the products or to make the first page
-- diverse. Returns no row if the request has neither group_by nor diversity.
create or replace function shop_private.explain_groups(
    p_request shop_private.search_request, p_run shop_private.search_run
)
returns setof shop.search_step
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    began constant timestamptz := clock_timestamp();
    rows bigint;
begin
    if num_nonnulls(p_request.group_by, p_request.diversity) > 0 then
        select count(*) into rows from shop_private.arranged_page(
            p_request, p_run, p_request.k, 0, p_request.k, null);
        return next row('group', left(p_request.group_by, 200), null, null, rows::integer, null,
            extract(epoch from clock_timestamp() - began) * 1000, concat_ws('; ',
                'the rows of the first page, and one of the next page',
                'diversity ' || p_request.diversity))::shop.search_step;
    end if;
end $$;
