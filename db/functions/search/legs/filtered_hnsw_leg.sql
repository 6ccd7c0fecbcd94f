-- The nearest products by one kind of vector (p_part: image or title) that meet a condition on p (shop.product),
-- through the HNSW index. Each product counts once, with its nearest image.
--
-- The index returns one batch of candidates after another. The scan has converged when
--   (a) the nearest candidate of the newest batch is farther than the p_k-th match by p_stop_margin,
--   (b) no top-k match was found in the second half of the scan,
--   (c) p_depth products have matched.
-- So neither the density of the query's neighbourhood nor the number of neighbours that pass the filter has to be known
-- in advance, and small batches find as much as large ones in the same number of candidates. After Al-Jazzazi et al.,
-- "Distance Adaptive Beam Search for Provably Accurate Graph-Based Nearest Neighbor Search" (2025), who multiply the
-- distance. Here a margin is added to the Euclidean distance of unit vectors: how far the scan must go beyond a match
-- depends on the distances between products, not on their distance from the query, and texts are farther from images
-- than images are.
--
-- The scan ends after p_max_candidates. It gives up earlier (converged = false) when it would need more candidates than
-- that, or when far fewer candidates match than p_share, the share of all products, predicts: then the filter
-- anti-correlates with the neighbourhood, and an index finds distant products poorly. The caller then compares
-- all that match. p_share null: never give up, accept the partial result.
--
-- The join must keep the order of the index scan: nested loop only. The other join plans are disabled, and so is JIT,
-- which this plan's cost estimate would trigger.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads the library, which defines its settings

create or replace function shop_private.filtered_hnsw_leg(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_k integer, p_depth integer, p_index regclass,
    p_stop_margin double precision, p_share double precision, p_max_candidates integer,
    out leg shop_private.leg, out converged boolean
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_sort = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set plan_cache_mode = force_generic_plan
set hnsw.iterative_scan = relaxed_order
set hnsw.ef_search = @hnsw_batch@
set hnsw.max_scan_tuples = @max_scan_tuples@
as $$
declare
    began constant timestamptz := clock_timestamp();
    candidates constant text := format('select c.*, p.product_id is not null and (%s) from (
        select i.product_id, i.position, i.embedding operator(@vector@.<=>) $1 as distance
        from shop.%I i order by i.embedding operator(@vector@.<=>) $1 limit $2) c
        left join shop.product p on p.product_id = c.product_id', p_condition, p_part || '_vector');
    product_id uuid;
    place smallint;
    distance double precision;
    matches boolean;
    matching shop_private.candidate[] := '{}';
    matched_after integer[] := '{}';  -- for each of `matching`: candidates examined until it came
    examined integer := 0;
    next_check integer := @hnsw_first_check@;
    previous_distance double precision := -1;
    place_in_batch integer := 0;
    batch_nearest double precision;  -- distance of the first, therefore nearest, candidate of the newest batch
begin
    converged := false;
    for product_id, place, distance, matches in execute candidates using p_vector, p_max_candidates loop
        examined := examined + 1;
        if distance <> previous_distance then  -- equal vectors are one element of the index
            place_in_batch := case when distance < previous_distance then 1 else place_in_batch % @hnsw_batch@ + 1 end;
            batch_nearest := case when place_in_batch = 1 then distance else batch_nearest end;
            previous_distance := distance;
        end if;
        if matches then
            matching := matching || (product_id, place, distance)::shop_private.candidate;
            matched_after := matched_after || examined;
        end if;
        if examined = next_check then
            next_check := examined + @hnsw_check_every@ * greatest(1, examined / @hnsw_check_growth@);
            converged := cardinality(matching) >= p_depth and shop_private.scan_converged(
                matching, matched_after, p_k, p_depth, p_stop_margin, examined, batch_nearest);
            -- The share that matches near the query is taken as the overall one until some batches say otherwise.
            exit when converged or p_share is not null and (
                greatest(@hnsw_scan_factor@ * p_k, p_depth) * (examined + @hnsw_prior_batches@ * @hnsw_batch@)
                    > p_max_candidates * (cardinality(matching) + @hnsw_prior_batches@ * @hnsw_batch@ * p_share)
                or examined * p_share >= @hnsw_expected_matches@
                    and cardinality(matching) < examined * p_share / @hnsw_anti_correlation@);
        end if;
    end loop;
    leg := shop_private.leg_from_candidates(matching, p_depth);
    converged := (converged or p_share is null) and cardinality(leg.product_ids) = p_depth;
    leg.route := 'hnsw';
    leg.index_name := p_index::text;
    leg.ef_search := @hnsw_batch@;
    leg.rows_examined := examined;
    leg.ms := extract(epoch from clock_timestamp() - began) * 1000;
end $$;
