-- Builds a leg, a ranking of products by image or title, from p_candidates. A candidate is a vector of a product with
-- its distance from the query. The leg lists the p_depth nearest products, each product once with its nearest vector.
create or replace function shop_private.leg_from_candidates(p_candidates shop_private.candidate[], p_depth integer)
returns shop_private.leg
language plpgsql immutable set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    leg shop_private.leg;
begin
    select array_agg(b.product_id order by b.distance, b.product_id),
        array_agg(b.position order by b.distance, b.product_id),
        array_agg(b.distance order by b.distance, b.product_id)
    into leg.product_ids, leg.positions, leg.measures
    from (
        select b.* from (
            select distinct on (c.product_id) c.product_id, c.position, c.distance from unnest(p_candidates) c
            order by c.product_id, c.distance) b
        order by b.distance, b.product_id limit p_depth) b;
    return leg;
end $$;
