-- Returns the products of a run that are similar enough to the query and pass the cut of the run (p_run.cut). fuse_legs
-- calls this function, and this function calls fuse_legs for the run without its cut. `place` numbers the returned
-- products from 1.
--
-- A product is dropped in three cases:
--   (1) the product's image is less similar to the query than p_min_similarity;
--   (2) the similarity of the product's image to the query is more than p_max_gap below that of the best image;
--   (3) the product does not pass the cut of the run (p_run.cut).
-- Cases (1) and (2) apply only if the query has an image vector. If p_min_similarity or p_max_gap is given, a product
-- that the image leg did not find is tested by its first image, and dropped if this image is not encoded. If the cut is
-- incomplete, there are exceptions to case (3): a product stays if the keyword leg found it, or if its image or title
-- reaches the floor of the cut.
create or replace function shop_private.cut_products(
    p_run shop_private.search_run, p_min_similarity double precision, p_max_gap double precision
)
returns setof shop_private.fused_product
language plpgsql stable set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    query_vector constant @vector@.halfvec := p_run.image_vector;
    cut constant shop_private.search_cut := p_run.cut;
    cutting constant boolean := num_nonnulls(p_min_similarity, p_max_gap) > 0 and query_vector is not null;
    run shop_private.search_run := p_run;
begin
    run.cut := null;
    return query
    with compared as (
        select f.*, case when cutting then 1 - coalesce(f.image_distance, (
            select i.embedding operator(@vector@.<=>) query_vector from shop.image_vector i
            where i.product_id = f.product_id and i.position = 0)) end as similarity
        from shop_private.fuse_legs(run, null, null) f
    )
    select row_number() over (order by c.place), c.product_id, c.position, c.score, c.image_rank, c.image_distance,
        c.image_contribution, c.title_rank, c.title_distance, c.title_contribution, c.keyword_rank, c.keyword_score,
        c.keyword_contribution, c.exact_match, c.shop_ranking
    from (select c.*, max(c.similarity) over () as best from compared c) c
    where (not cutting or (c.similarity >= coalesce(p_min_similarity, -1)
            and c.similarity >= coalesce(c.best - p_max_gap, -1)))
        and (cut.product_ids is null or c.product_id in (select u from unnest(cut.product_ids) u)
            or not cut.complete and (c.keyword_rank is not null
                or c.image_distance <= 1 - cut.image_floor or c.title_distance <= 1 - cut.title_floor))
    order by 1;
end $$;
