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
-- A run with a change (p_run.change, see rank_by_change) is already ranked; changed_products returns its products. If
-- p_min_similarity, p_max_gap or the cut of the run can drop products, cut_products returns the others. If signals or
-- rules apply to the run (p_run.ranking), ranked_products ranks the products again.
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
    -- The lowest keyword score of the products that the words point to; null if no vector leg has a weight. The leg's
    -- scores are in descending order.
    pointed_from constant double precision := case when image_weight + title_weight > 0
        then greatest(2, 1 + floor(keyword_leg.measures[@keyword_few@ + 1])) end;
begin
    if (p_run.ranking).active then
        return query select r.* from shop_private.ranked_products(p_run, p_min_similarity, p_max_gap) r;
        return;
    end if;
    if (p_run.change).ms is not null then
        return query select r.* from shop_private.changed_products(p_run, p_min_similarity, p_max_gap) r;
        return;
    end if;
    if num_nonnulls(p_min_similarity, p_max_gap, (p_run.cut).product_ids) > 0 then
        return query select r.* from shop_private.cut_products(p_run, p_min_similarity, p_max_gap) r;
        return;
    end if;
    return query
    select row_number() over (order by l.grade desc, l.score desc, l.product_id), l.product_id, l.position, l.score,
        l.image_rank, l.image_distance, l.image_contribution, l.title_rank, l.title_distance, l.title_contribution,
        l.keyword_rank, l.keyword_score, l.keyword_contribution, l.exact_match, null::double precision
    from (
        select c.*, coalesce(c.image_contribution, 0) + coalesce(c.title_contribution, 0)
            + coalesce(c.keyword_contribution, 0) as score
        from (
            select product_id, i.position, i.rank::integer as image_rank, i.measure as image_distance,
                image_weight / (rrf_k + i.rank) as image_contribution,
                t.rank::integer as title_rank, t.measure as title_distance,
                title_weight / (rrf_k + t.rank) as title_contribution,
                w.rank::integer as keyword_rank, w.measure as keyword_score, keyword_weight / (rrf_k + w.rank)
                    * case when w.measure >= pointed_from then @keyword_few_factor@ * (floor(w.measure) - 1) else 1 end
                    as keyword_contribution, e.field as exact_match, coalesce(e.grade, 0) as grade
            from unnest(image_leg.product_ids, image_leg.positions, image_leg.measures)
                with ordinality as i(product_id, position, measure, rank)
            full join unnest(title_leg.product_ids, title_leg.measures)
                with ordinality as t(product_id, measure, rank) using (product_id)
            full join unnest(keyword_leg.product_ids, keyword_leg.measures)
                with ordinality as w(product_id, measure, rank) using (product_id)
            full join unnest(exact) e using (product_id)) c) l
    order by 1;
end $$;
