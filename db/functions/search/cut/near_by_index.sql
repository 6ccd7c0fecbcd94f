-- Returns the products that meet p_condition, a condition on p (shop.product), and have an image or a title (p_part)
-- with at least the cosine similarity p_floor to the query. The index finds these products.
--
-- p_bits says what the index stores (see scan_order). The index returns one batch of candidates after another. The
-- floor distance is defined as the distance from the query at which the similarity is p_floor. The scan ends in three
-- cases:
--   (a) even the nearest candidate of the newest batch is farther from the query than the floor distance plus
--       p_stop_margin (see filtered_hnsw_leg);
--   (b) after a batch, at least p_most images or titles have been found;
--   (c) all candidates have been examined, or @cut_max_candidates@ of them.
-- If `complete` is true, the scan has ended by (a) or has examined all candidates. If it is false, products may be
-- missing.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads pgvector, which defines the settings of scans

create or replace function shop_private.near_by_index(
    p_part text, p_bits integer, p_vector @vector@.halfvec, p_floor double precision, p_condition text,
    p_stop_margin double precision, p_most integer, out product_ids uuid[], out complete boolean
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_sort = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set plan_cache_mode = force_generic_plan
set hnsw.iterative_scan = relaxed_order
set hnsw.scan_mem_multiplier = @scan_mem_multiplier@
set work_mem = @scan_work_mem@
set hnsw.ef_search = @hnsw_batch@
set hnsw.max_scan_tuples = @max_scan_tuples@
set ivfflat.iterative_scan = relaxed_order
set ivfflat.max_probes = @bit_most_lists@
set ivfflat.probes = @bit_lists@
as $$
declare
    candidates constant text := format('select c.*, p.product_id is not null and (%s) from (
        select i.product_id, i.embedding operator(@vector@.<=>) $1 as distance
        from shop.%I i order by %s limit $2) c
        left join shop.product p on p.product_id = c.product_id', p_condition, p_part || '_vector',
        shop_private.scan_order(p_bits, '$1'));
    batch constant integer := case when p_bits is null then @hnsw_batch@ else @bit_cut_batch@ end;
    -- a cosine distance: the floor distance plus the stop margin, which are added as Euclidean distances
    farthest constant double precision := (sqrt(2 * greatest(0, 1 - p_floor)) + p_stop_margin) ^ 2 / 2;
    product_id uuid;
    distance double precision;
    matches boolean;
    found_ids uuid[] := '{}';
    examined integer := 0;
    batch_nearest double precision;
begin
    complete := false;
    perform set_config('hnsw.ef_search', batch::text, true);
    for product_id, distance, matches in execute candidates using p_vector, @cut_max_candidates@ loop
        if examined % batch = 0 then
            complete := batch_nearest > farthest;
            exit when complete or cardinality(found_ids) >= p_most;
            batch_nearest := distance;
        end if;
        examined := examined + 1;
        batch_nearest := least(batch_nearest, distance);
        if matches and distance <= 1 - p_floor then
            found_ids := found_ids || product_id;
        end if;
    end loop;
    complete := coalesce(complete or examined < @cut_max_candidates@ and cardinality(found_ids) < p_most, true);
    product_ids := array(select distinct f from unnest(found_ids) f);
end $$;
