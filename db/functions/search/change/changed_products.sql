-- Returns the ranked products of a run with a change (see rank_by_change). fuse_legs calls this function in place of
-- the fusion. A product is dropped in the cases that cut_products names. Case (3) has only one exception here: an
-- incomplete cut does not drop a product whose image reaches the floor of the cut (cut.image_floor). `place` numbers
-- the returned products from 1.
create or replace function shop_private.changed_products(
    p_run shop_private.search_run, p_min_similarity double precision, p_max_gap double precision
)
returns setof shop_private.fused_product
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    cut constant shop_private.search_cut := p_run.cut;
    ranked constant shop_private.fused_product[] := (p_run.change).ranked;
    farthest constant double precision := least(2, 1 - p_min_similarity, p_max_gap
        + (select min(r.image_distance) from unnest(ranked) r where p_max_gap is not null));
begin
    return query
    select row_number() over (order by r.place), r.product_id, r.position, r.score,
        r.image_rank, r.image_distance, r.image_contribution, r.title_rank, r.title_distance, r.title_contribution,
        r.keyword_rank, r.keyword_score, r.keyword_contribution, r.exact_match,
        r.shop_ranking
    from unnest(ranked) r
    where r.image_distance <= farthest
        and (cut.product_ids is null or r.product_id in (select u from unnest(cut.product_ids) u)
            or not cut.complete and r.image_distance <= 1 - cut.image_floor)
    order by 1;
end $$;
