-- Finds the p_depth nearest products by one kind of vector (p_part is image or title) when every product matches. The
-- function scans the HNSW index with p_ef_search candidates, like a plain statement with ORDER BY and LIMIT. The scan
-- takes more candidates if it has to return more rows than p_ef_search. p_rows_per_product is the mean number of
-- vectors of a product. The leg lists each product once, with the nearest of the vectors that the scan found.
--
-- A larger scan follows if a scan found fewer than p_depth products because it found several vectors of one product.
-- The function uses static SQL, because PostgreSQL keeps the plan of static SQL and planning takes a tenth of a
-- millisecond.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads pgvector, which defines the hnsw.* settings

create or replace function shop_private.unfiltered_hnsw_leg(
    p_part text, p_vector @vector@.halfvec, p_depth integer, p_rows_per_product double precision, p_index regclass,
    p_ef_search integer
)
returns shop_private.leg
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
set hnsw.iterative_scan = relaxed_order
set hnsw.scan_mem_multiplier = @scan_mem_multiplier@
set work_mem = @scan_work_mem@
set hnsw.ef_search = 40
set hnsw.max_scan_tuples = @max_scan_tuples@
as $$
declare
    began constant timestamptz := clock_timestamp();
    row_limit integer := ceil(p_depth * greatest(1, least(p_rows_per_product, @max_images_per_product@)));
    nearest shop_private.candidate[];
    leg shop_private.leg;
begin
    loop
        perform set_config('hnsw.ef_search', least(@max_ef_search@, greatest(p_ef_search, row_limit))::text, true);
        if p_part = 'image' then
            select array_agg((c.product_id, c.position, c.distance)::shop_private.candidate) into nearest from (
                select i.product_id, i.position, i.embedding operator(@vector@.<=>) p_vector as distance
                from shop.image_vector i order by i.embedding operator(@vector@.<=>) p_vector limit row_limit) c;
        else
            select array_agg((c.product_id, c.position, c.distance)::shop_private.candidate) into nearest from (
                select t.product_id, t.position, t.embedding operator(@vector@.<=>) p_vector as distance
                from shop.title_vector t order by t.embedding operator(@vector@.<=>) p_vector limit row_limit) c;
        end if;
        leg := shop_private.leg_from_candidates(nearest, p_depth);
        exit when cardinality(leg.product_ids) >= p_depth or coalesce(cardinality(nearest), 0) < row_limit;
        row_limit := row_limit * 2;
    end loop;
    leg.route := 'hnsw';
    leg.index_name := p_index::text;
    leg.ef_search := least(@max_ef_search@, greatest(p_ef_search, row_limit));
    leg.rows_examined := leg.ef_search;
    leg.ms := extract(epoch from clock_timestamp() - began) * 1000;
    return leg;
end $$;
