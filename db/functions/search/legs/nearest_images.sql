-- Replaces the image of each product of an image leg (the ranking by image) by the product's nearest image, and ranks
-- the products again. The function is needed because a scan of the HNSW index can find another image of a product and
-- miss the nearest one.
create or replace function shop_private.nearest_images(p_vector @vector@.halfvec, inout leg shop_private.leg)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set random_page_cost = @exact_random_page_cost@
set plan_cache_mode = force_generic_plan
as $$
declare
    began constant timestamptz := clock_timestamp();
    nearest shop_private.candidate[];
    ranked shop_private.leg;
begin
    select array_agg((i.product_id, i.position, (i.embedding operator(@vector@.<=>) p_vector) + 0)
        ::shop_private.candidate) into nearest
    from shop.image_vector i where i.product_id = any(leg.product_ids);
    ranked := shop_private.leg_from_candidates(nearest, cardinality(leg.product_ids));
    leg.product_ids := ranked.product_ids;
    leg.positions := ranked.positions;
    leg.measures := ranked.measures;
    leg.ms := leg.ms + extract(epoch from clock_timestamp() - began) * 1000;
end $$;
