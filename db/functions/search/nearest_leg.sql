-- The nearest products by one kind of vector where every product matches: what one scan of the HNSW index with p_ef
-- candidates finds, as the plain statement does, each product once, with its nearest picture. More is read only where pictures
-- of one product stand in each other's way. The plan is kept: making one takes a tenth of a millisecond.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads the library: only then may its settings be named

create or replace function shop_private.nearest_leg(
    p_part text, p_vector @vector@.halfvec, p_depth integer, p_rows_per_product double precision, p_index regclass, p_ef integer
)
returns shop_private.leg
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
set hnsw.iterative_scan = relaxed_order
set hnsw.ef_search = 40
set hnsw.max_scan_tuples = 200000
as $$
declare
    began constant timestamptz := clock_timestamp();
    take integer := ceil(p_depth * greatest(1, least(p_rows_per_product, 100)));
    near shop_private.near[];
    leg shop_private.leg;
begin
    loop
        perform set_config('hnsw.ef_search', least(1000, greatest(p_ef, take))::text, true);
        if p_part = 'image' then
            select array_agg((n.product_id, n.position, n.distance)::shop_private.near) into near from (
                select i.product_id, i.position, i.embedding operator(@vector@.<=>) p_vector as distance
                from shop.image_vector i order by i.embedding operator(@vector@.<=>) p_vector limit take) n;
        else
            select array_agg((n.product_id, n.position, n.distance)::shop_private.near) into near from (
                select i.product_id, i.position, i.embedding operator(@vector@.<=>) p_vector as distance
                from shop.title_vector i order by i.embedding operator(@vector@.<=>) p_vector limit take) n;
        end if;
        leg := shop_private.leg_of(near, p_depth);
        exit when cardinality(leg.product_ids) >= p_depth or coalesce(cardinality(near), 0) < take;
        take := take * 2;
    end loop;
    leg.route := 'hnsw';
    leg.index_name := p_index::text;
    leg.ef_search := least(1000, greatest(p_ef, take));
    leg.examined := leg.ef_search;
    leg.ms := extract(epoch from clock_timestamp() - began) * 1000;
    return leg;
end $$;
