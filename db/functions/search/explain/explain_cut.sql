-- Returns the step of shop.explain_search that shows how many products pass the cut, which drops products that are not
-- relevant to the query. Returns no row if the run has no cut.
create or replace function shop_private.explain_cut(p_run shop_private.search_run)
returns setof shop.search_step
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    cut constant shop_private.search_cut := p_run.cut;
    kept constant bigint := cardinality(cut.product_ids);
begin
    return query
    select 'cut', 'relevant', null::text, null::integer, kept::integer, null::bigint, cut.ms, concat_ws('; ',
        format('keeps %s products (%s) of %s (%s)', kept, cut.total_is, p_run.total, p_run.total_is),
        case when cut.by_image + cut.by_title = 0 and num_nonnulls(cut.image_floor, cut.title_floor) = 0
            then 'nothing is similar to the query' end,
        cut.by_image || ' have an image of similarity ' || round(cut.image_floor::numeric, 3) || ' or more',
        cut.by_title || ' have a title of similarity ' || round(cut.title_floor::numeric, 3) || ' or more',
        cut.by_words || ' have a word of the query')
    where kept is not null;
end $$;
