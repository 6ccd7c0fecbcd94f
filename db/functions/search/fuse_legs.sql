-- Returns the ranked products of a run (the state of one search). The function fuses the legs, the rankings by image,
-- by title and by keyword, by weighted reciprocal rank (Cormack, Clarke and Buettcher, SIGIR 2009). A leg that found a
-- product adds the leg's weight / (rrf_k + rank) to the score of the product. The products that the query's text names
-- (p_run.exact, see exact_matches) come first, ordered by grade, then by score. `place` numbers the returned products
-- from 1.
--
-- The words of the query point to a product under two conditions: its keyword score has at least 2 whole points (see
-- keyword_leg.sql), and at most @keyword_few@ products have as many points or more. For such a product, the
-- contribution of the keyword leg is multiplied by a factor. The factor is @keyword_few_factor@ times the number of
-- whole points above 1. Without the factor, a product with fewer points would come first if both vector legs ranked it
-- first. The factor applies only if a vector leg has a weight.
--
-- A product is dropped in three cases:
--   (1) the product's image is less similar to the query than p_min_similarity;
--   (2) the product's image is less similar to the query than the best image, by more than p_max_gap;
--   (3) the product does not pass the cut of the run (p_run.cut).
-- Cases (1) and (2) apply only if the query has an image vector. If one of them applies, a product that the image leg
-- did not find is tested by its first image, and dropped if this image is not encoded. If the cut is incomplete, case
-- (3) has exceptions: a product stays if the keyword leg found it, or if its image or title reaches the floor of the
-- cut.
--
-- A run with a change (p_run.change, see rank_by_change) is already ranked; changed_products returns its products. If
-- signals or rules apply to the run (p_run.ranking), ranked_products ranks the products again.
create or replace function shop_private.fuse_legs(
    p_run shop_private.search_run, p_min_similarity double precision, p_max_gap double precision
)
returns setof shop_private.fused_product
language plpgsql stable set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    image_leg constant shop_private.leg := p_run.image_leg;
    title_leg constant shop_private.leg := p_run.title_leg;
    keyword_leg constant shop_private.leg := p_run.keyword_leg;
    image_weight constant double precision := p_run.image_weight;
    title_weight constant double precision := p_run.title_weight;
    keyword_weight constant double precision := p_run.keyword_weight;
    rrf_k constant integer := p_run.rrf_k;
    exact constant shop_private.exact_match[] := p_run.exact;
    query_vector constant @vector@.halfvec := p_run.image_vector;
    cut constant shop_private.search_cut := p_run.cut;
    -- The lowest keyword score of the products that the words point to; null if no vector leg has a weight. The leg's
    -- scores are in descending order.
    pointed_from constant double precision := case when image_weight + title_weight > 0
        then greatest(2, 1 + floor(keyword_leg.measures[@keyword_few@ + 1])) end;
    cutting constant boolean := num_nonnulls(p_min_similarity, p_max_gap) > 0 and query_vector is not null;
begin
    if (p_run.ranking).active then
        return query select r.* from shop_private.ranked_products(p_run, p_min_similarity, p_max_gap) r;
        return;
    end if;
    if (p_run.change).ms is not null then
        return query select r.* from shop_private.changed_products(p_run, p_min_similarity, p_max_gap) r;
        return;
    end if;
    return query
    with contribution as (
        select l.product_id, l.position, l.measure, l.rank::integer, 'image' as leg,
            image_weight / (rrf_k + l.rank) as score, null as field, 0 as grade
        from unnest(image_leg.product_ids, image_leg.positions, image_leg.measures)
            with ordinality as l(product_id, position, measure, rank)
        union all
        select l.product_id, null, l.measure, l.rank::integer, 'title', title_weight / (rrf_k + l.rank), null, 0
        from unnest(title_leg.product_ids, title_leg.measures) with ordinality as l(product_id, measure, rank)
        union all
        select l.product_id, null, l.measure, l.rank::integer, 'keyword', keyword_weight / (rrf_k + l.rank)
            * case when l.measure >= pointed_from then @keyword_few_factor@ * (floor(l.measure) - 1) else 1 end, null, 0
        from unnest(keyword_leg.product_ids, keyword_leg.measures) with ordinality as l(product_id, measure, rank)
        union all
        select e.product_id, null, null, null, 'exact', 0, e.field, e.grade from unnest(exact) e
    ), fused as (
        select c.product_id, max(c.position) as position, sum(c.score) as score,
            max(c.rank) filter (where c.leg = 'image') as image_rank,
            max(c.measure) filter (where c.leg = 'image') as image_distance,
            max(c.score) filter (where c.leg = 'image') as image_contribution,
            max(c.rank) filter (where c.leg = 'title') as title_rank,
            max(c.measure) filter (where c.leg = 'title') as title_distance,
            max(c.score) filter (where c.leg = 'title') as title_contribution,
            max(c.rank) filter (where c.leg = 'keyword') as keyword_rank,
            max(c.measure) filter (where c.leg = 'keyword') as keyword_score,
            max(c.score) filter (where c.leg = 'keyword') as keyword_contribution,
            max(c.field) as exact_match, max(c.grade) as grade
        from contribution c
        group by c.product_id
    ), compared as (
        select f.*, case when cutting then 1 - coalesce(f.image_distance, (
            select i.embedding operator(@vector@.<=>) query_vector from shop.image_vector i
            where i.product_id = f.product_id and i.position = 0)) end as similarity
        from fused f
    )
    select row_number() over (order by c.grade desc, c.score desc, c.product_id), c.product_id, c.position, c.score,
        c.image_rank, c.image_distance, c.image_contribution,
        c.title_rank, c.title_distance, c.title_contribution,
        c.keyword_rank, c.keyword_score, c.keyword_contribution, c.exact_match,
        null::double precision
    from (select c.*, max(c.similarity) over () as best from compared c) c
    where (not cutting or (c.similarity >= coalesce(p_min_similarity, -1)
            and c.similarity >= coalesce(c.best - p_max_gap, -1)))
        and (cut.product_ids is null or c.product_id in (select u from unnest(cut.product_ids) u)
            or not cut.complete and (c.keyword_rank is not null
                or c.image_distance <= 1 - cut.image_floor or c.title_distance <= 1 - cut.title_floor))
    order by 1;
end $$;
