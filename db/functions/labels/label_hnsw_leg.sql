-- Finds the p_depth nearest products of a label when every product of the label matches. A label is a frequent value of
-- a field; its products have an HNSW index of their own. p_source is the source of the vectors of the label (see
-- leg_source). The function scans the index of the label in the way in which unfiltered_hnsw_leg scans the index of all
-- products. No product is looked up. `converged` says whether p_depth products were found. p_rows_per_product is the
-- mean number of vectors of a product, and p_index names the index. The leg lists each product once, with the nearest
-- of the vectors that the scan found. A larger scan follows if a scan found fewer than p_depth products because it
-- found several vectors of one product.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads pgvector, which defines the hnsw.* settings

create or replace function shop_private.label_hnsw_leg(
    p_source text, p_vector @vector@.halfvec, p_depth integer, p_rows_per_product double precision, p_index text,
    p_ef_search integer, out leg shop_private.leg, out converged boolean
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_sort = off
set jit = off
set hnsw.iterative_scan = relaxed_order
set hnsw.scan_mem_multiplier = @scan_mem_multiplier@
set work_mem = @scan_work_mem@
set hnsw.ef_search = 40
set hnsw.max_scan_tuples = @max_scan_tuples@
as $$
declare
    began constant timestamptz := clock_timestamp();
    statement constant text := format(
        'select array_agg((c.product_id, c.position, c.distance)::shop_private.candidate) from (
            select i.product_id, i.position, i.embedding operator(@vector@.<=>) $1 as distance
            from %s i order by i.embedding operator(@vector@.<=>) $1 limit $2) c', p_source);
    row_limit integer := ceil(p_depth * greatest(1, least(p_rows_per_product, @max_images_per_product@)));
    nearest shop_private.candidate[];
begin
    loop
        perform set_config('hnsw.ef_search', least(@max_ef_search@, greatest(p_ef_search, row_limit))::text, true);
        execute statement into nearest using p_vector, row_limit;
        leg := shop_private.leg_from_candidates(nearest, p_depth);
        exit when cardinality(leg.product_ids) >= p_depth or coalesce(cardinality(nearest), 0) < row_limit;
        row_limit := row_limit * 2;
    end loop;
    leg.route := 'hnsw';
    leg.index_name := p_index;
    leg.ef_search := least(@max_ef_search@, greatest(p_ef_search, row_limit));
    leg.rows_examined := leg.ef_search;
    leg.ms := extract(epoch from clock_timestamp() - began) * 1000;
    converged := coalesce(cardinality(leg.product_ids), 0) = p_depth;
end $$;
