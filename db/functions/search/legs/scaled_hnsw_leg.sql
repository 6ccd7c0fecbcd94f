-- Finds the nearest products that meet p_condition, a condition on p (shop.product), by their images or titles.
-- p_source is the source of the vectors (see leg_source) and p_index the name of its index. p_depth is the number of
-- products. p_share is the share of the products of p_source that meet p_condition. The share must be known, not
-- estimated, and about the same near the query as in the whole source. This is assumed if the condition selects a
-- catalog among several, a label, or all products except the products given as input. Each product is listed once, with
-- the nearest of its vectors that the scan found.
--
-- The function scans the HNSW index as unfiltered_hnsw_leg does, with p_ef_search divided by p_share. So about as many
-- candidates meet the condition as if the index had only these products. If too few candidates meet the condition, the
-- scan is repeated with twice as many candidates, up to p_max_candidates. `converged` says whether p_depth products
-- were found and enough candidates met the condition.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads pgvector, which defines the hnsw.* settings

create or replace function shop_private.scaled_hnsw_leg(
    p_source text, p_vector @vector@.halfvec, p_condition text, p_share double precision, p_depth integer,
    p_rows_per_product double precision, p_index text, p_ef_search integer, p_max_candidates integer,
    out leg shop_private.leg, out converged boolean
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_sort = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set hnsw.iterative_scan = relaxed_order
set hnsw.scan_mem_multiplier = @scan_mem_multiplier@
set work_mem = @scan_work_mem@
set hnsw.ef_search = 40
set hnsw.max_scan_tuples = @max_scan_tuples@
as $$
declare
    began constant timestamptz := clock_timestamp();
    wanted constant double precision :=
        greatest(p_ef_search, p_depth * greatest(1, least(p_rows_per_product, @max_images_per_product@)));
    statement constant text := format(
        'select array_agg((c.product_id, c.position, c.distance)::shop_private.candidate)
            filter (where p.product_id is not null and (%s)), count(*)
        from (select i.product_id, i.position, i.embedding operator(@vector@.<=>) $1 as distance
            from %s i order by i.embedding operator(@vector@.<=>) $1 limit $2) c
        left join shop.product p on p.product_id = c.product_id', p_condition, p_source);
    row_limit integer := least(p_max_candidates, ceil(wanted / p_share));
    nearest shop_private.candidate[];
    examined integer;
begin
    loop
        perform set_config('hnsw.ef_search', least(@max_ef_search@, row_limit)::text, true);
        execute statement into nearest, examined using p_vector, row_limit;
        leg := shop_private.leg_from_candidates(nearest, p_depth);
        leg.rows_examined := coalesce(leg.rows_examined, 0) + examined;
        converged := coalesce(cardinality(leg.product_ids), 0) = p_depth
            and cardinality(nearest) >= wanted / @hnsw_anti_correlation@;
        exit when converged or examined < row_limit or 2 * row_limit > p_max_candidates;
        row_limit := row_limit * 2;
    end loop;
    leg.route := 'hnsw';
    leg.index_name := p_index;
    leg.ef_search := least(@max_ef_search@, row_limit);
    leg.ms := extract(epoch from clock_timestamp() - began) * 1000;
end $$;
