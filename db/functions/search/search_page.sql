-- Returns one page of results: the p_k results after the first p_skip results. If there is a next page, the function
-- returns the first result of that page too. `place` counts from 1 over all pages.
--
-- The first p_first_k places come from p_run, the search of the first page. All later places come from p_window, the
-- same search with legs of the largest depth; the products of the first page are left out of it. There is one
-- exception: if a page ends at place p_first_k, the first result of the next page comes from p_run.
--
-- With the option sort, all places come from p_run, and p_mark is the mark of the last row of the previous page (see
-- sorted_products). arranged_page returns the pages of a search with group_by or diversity.
create or replace function shop_private.search_page(
    p_request shop_private.search_request, p_run shop_private.search_run, p_window shop_private.search_run,
    p_first_k integer, p_skip integer, p_k integer, p_mark text
)
returns setof shop_private.page_product
language plpgsql stable rows 20 set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    min_similarity constant double precision := p_request.min_similarity;
    max_gap constant double precision := p_request.max_gap;
begin
    if num_nonnulls(p_request.group_by, p_request.diversity) > 0 then
        return query select a.* from shop_private.arranged_page(p_request, p_run, p_first_k, p_skip, p_k, p_mark) a;
        return;
    elsif p_request.sort is not null then
        return query select s.* from shop_private.sorted_page(p_run, p_request.sort, p_mark, p_skip, p_k + 1) s;
        return;
    end if;
    if p_skip + p_k <= p_first_k then
        return query
        select f.*, null::text, null::text, null::bigint, null::numeric, null::numeric, null::text
        from shop_private.fuse_legs(p_run, min_similarity, max_gap) f
        where f.place > p_skip order by f.place limit p_k + 1;
        return;
    end if;
    return query
    with first_page as (
        select f.* from shop_private.fuse_legs(p_run, min_similarity, max_gap) f where f.place <= p_first_k
    ), further as (
        select (select count(*) from first_page) + row_number() over (order by w.place) as place, w.product_id,
            w.position, w.score, w.image_rank, w.image_distance, w.image_contribution, w.title_rank, w.title_distance,
            w.title_contribution, w.keyword_rank, w.keyword_score, w.keyword_contribution,
            w.exact_match, w.shop_ranking
        from shop_private.fuse_legs(p_window, min_similarity, max_gap) w
        where not exists (select from first_page f where f.product_id = w.product_id)
    )
    select r.*, null::text, null::text, null::bigint, null::numeric, null::numeric, null::text
    from (select f.* from first_page f union all select w.* from further w) r
    where r.place > p_skip and r.place <= @max_results@ order by r.place limit p_k + 1;
end $$;
