-- Returns a page of a search with the option `sort`: p_limit of the products that pass the cut of p_run (the state of
-- the search), in the order p_sort. The rankings by image, title and keyword contain only some of these products. A
-- product that is not in the ranking by image gets the position and the distance of its image that is nearest to the
-- query, if the ranking by image has a weight.
create or replace function shop_private.sorted_page(
    p_run shop_private.search_run, p_sort text, p_mark text, p_skip integer, p_limit integer
)
returns setof shop_private.page_product
language plpgsql stable rows 20 set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    query_vector constant @vector@.halfvec := case when p_run.image_weight > 0 then p_run.image_vector end;
begin
    return query
    with page as materialized (
        select s.* from shop_private.sorted_products((p_run.cut).product_ids, p_sort, p_mark, p_skip, p_limit) s
    ), ranked as materialized (
        select f.* from shop_private.fuse_legs(p_run, null, null) f
        where f.product_id in (select g.product_id from page g)
    )
    select g.place, g.product_id, coalesce(r.position, n.position), coalesce(r.score, 0),
        r.image_rank, coalesce(r.image_distance, n.distance), r.image_contribution,
        r.title_rank, r.title_distance, r.title_contribution,
        r.keyword_rank, r.keyword_score, r.keyword_contribution, r.exact_match, r.shop_ranking, g.mark,
        null::text, null::bigint, null::numeric, null::numeric, g.note
    from page g
    left join ranked r on r.product_id = g.product_id
    left join lateral (
        select c.position, c.distance
        from (select i.position, i.embedding operator(@vector@.<=>) query_vector as distance from shop.image_vector i
              where query_vector is not null and r.image_rank is null and i.product_id = g.product_id offset 0) c
        order by c.distance, c.position limit 1
    ) n on true
    order by g.place;
end $$;
