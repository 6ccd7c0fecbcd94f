-- Returns the products of a run (the state of one search) in their order after signals and rules. fuse_legs calls this
-- function if signals or rules apply to the run, and this function calls fuse_legs for the same run without them.
--
-- Signals, and rules that boost or bury, change only the scores of candidates. The candidates are the first p_run.depth
-- products of the fusion. After a change (see rank_by_change), they are the first @signal_candidates@ products. The new
-- score of a candidate is its score plus `unit` times the sum of weight times value over all signals. `unit` is what
-- the first rank in a leg (a ranking by image, title or keyword) of weight 1 adds to a score: 1 / (rrf_k + 1). After a
-- change, `unit` is 1, because the scores are then in standard deviations. Then rules that boost or bury multiply the
-- score, or divide a negative score. Named products (p_run.exact) stay before the others; after a change, the
-- neighbourhood stays before the others instead. Last, rules put pinned products at their places.
create or replace function shop_private.ranked_products(
    p_run shop_private.search_run, p_min_similarity double precision, p_max_gap double precision
)
returns setof shop_private.fused_product
language plpgsql stable set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    ranking constant shop_private.search_ranking := p_run.ranking;
    changed constant boolean := (p_run.change).ms is not null;
    unit constant double precision := case when changed then 1 else 1.0 / (p_run.rrf_k + 1) end;
    read_most constant integer := case when changed then @signal_candidates@ else p_run.depth end;
    exact constant shop_private.exact_match[] := p_run.exact;
    run shop_private.search_run := p_run;
    fused shop_private.fused_product[];
    candidates uuid[];
    sums double precision[];
    factors double precision[];
begin
    run.ranking := null;
    fused := array(select f from shop_private.fuse_legs(run, p_min_similarity, p_max_gap) f order by f.place);
    candidates := array(select f.product_id from unnest(fused) f where f.place <= read_most order by f.place);
    if num_nonnulls(ranking.signals, ranking.rules) > 0 or exists (select from shop.signal s where s.weight <> 0) then
        sums := shop_private.signal_sums(candidates, ranking.signals, ranking.rules);
    end if;
    if ranking.boosts is not null then
        factors := shop_private.boost_factors(candidates, ranking.boosts, ranking.factors);
    end if;
    if coalesce(sums, factors) is not null then
        with added as (
            select f.*, f.score + unit * coalesce(sums[f.place], 0) as plain, coalesce(factors[f.place], 1) as factor,
                case when changed then (f.place <= @change_neighbours@)::integer else coalesce(e.grade, 0) end as grade
            from unnest(fused) f
            left join (select x.product_id, max(x.grade) as grade from unnest(exact) x group by 1) e
                on e.product_id = f.product_id
        ), scored as (
            select a.*, case when a.plain >= 0 then a.plain * a.factor else a.plain / greatest(a.factor, 0.01) end
                as total
            from added a
        ), placed as (
            select s.*, row_number() over (
                order by s.grade desc, s.place > read_most, s.total desc, s.place) as new_place
            from scored s
        )
        select array_agg((p.new_place, p.product_id, p.position, p.total, p.image_rank, p.image_distance,
            p.image_contribution, p.title_rank, p.title_distance, p.title_contribution, p.keyword_rank, p.keyword_score,
            p.keyword_contribution, p.exact_match, p.total - p.score)::shop_private.fused_product order by p.new_place)
        into fused from placed p;
    end if;
    if ranking.pins is not null then
        return query select p.* from shop_private.pinned_places(fused, p_run) p;
        return;
    end if;
    return query select f.* from unnest(fused) f order by f.place;
end $$;
