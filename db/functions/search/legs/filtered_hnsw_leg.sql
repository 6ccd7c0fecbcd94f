-- Finds the nearest products that meet p_condition, a condition on p (shop.product), through the HNSW index. p_source
-- is the source of the vectors (see leg_source) and p_index the name of its index. p_depth is the number of products.
-- Each product is listed once, with its nearest image.
--
-- The index returns one batch of candidates after another. A candidate whose product meets p_condition is a match. The
-- scan has converged when three conditions hold:
--   (a) the distance of the nearest candidate of the newest batch exceeds the distance of the p_k-th match by more than
--       p_stop_margin,
--   (b) none of the nearest p_k matches was found in the second half of the scan,
--   (c) p_depth products have matched.
-- With these conditions, the scan need not know in advance how dense the query's neighbourhood is or how many
-- neighbours pass the filter. The batch size does not matter either: for the same number of candidates, small batches
-- find as many matches as large batches. The rule follows Al-Jazzazi et al., "Distance Adaptive Beam Search for
-- Provably Accurate Graph-Based Nearest Neighbor Search" (2025). The authors multiply the distance of a match by a
-- factor. This function adds a margin instead, to the Euclidean distance of unit vectors. The reason is that the
-- distance that a scan must cover beyond a match depends on the distances between products, not on their distance from
-- the query. Texts are farther from images than images are from each other.
--
-- Under row level security, secured_hnsw_leg scans instead. p_condition can then be null (see scan_condition).
--
-- The scan examines at least p_least candidates, and ends at the latest after p_max_candidates candidates. It gives up
-- earlier (converged = false) in two cases:
--   (1) the scan is expected to need more than p_max_candidates candidates;
--   (2) far fewer candidates match than p_share predicts; p_share is the share of the products of p_source that match.
--       The matches are then mostly far from the query, where the index finds few of them.
-- If `converged` is false, `ended` says whether the scan examined all of its candidates and found p_depth products. If
-- both are false, the caller compares the matches or walks from several starts (see vector_leg). p_share is null if the
-- caller forces or measures this route. The scan then never gives up. If it ends at p_max_candidates and has found
-- p_depth products, it counts as converged.
--
-- Only a nested loop keeps the order of the index scan, so the other join plans are disabled. JIT is disabled too,
-- because the cost estimate of this plan would trigger it.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads pgvector, which defines the hnsw.* settings

create or replace function shop_private.filtered_hnsw_leg(
    p_source text, p_vector @vector@.halfvec, p_condition text, p_k integer, p_depth integer, p_index text,
    p_stop_margin double precision, p_share double precision, p_least integer, p_max_candidates integer,
    out leg shop_private.leg, out converged boolean, out ended boolean, out scanned integer
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
as $$
declare
    began constant timestamptz := clock_timestamp();
    candidates constant text := format('select c.*, p.product_id is not null and (%s) from (
        select i.product_id, i.position, i.embedding operator(@vector@.<=>) $1 as distance
        from %s i order by i.embedding operator(@vector@.<=>) $1 limit $2) c
        left join shop.product p on p.product_id = c.product_id', p_condition, p_source);
    wanted constant double precision := greatest(@hnsw_scan_factor@ * p_k, p_depth);
    product_id uuid;
    image_position smallint;
    distance double precision;
    matches boolean;
    matching shop_private.candidate[] := '{}';
    matched_after integer[] := '{}';  -- for each match, the number of candidates scanned until it was found
    next_check integer := p_least;
    previous_distance double precision := -1;
    position_in_batch integer := 0;
    batch_nearest double precision;  -- distance of the newest batch's first candidate, the nearest of the batch
    gave_up boolean := false;
    secured record;
begin
    converged := false;
    scanned := 0;
    if row_security_active('shop.product'::regclass) then
        secured := shop_private.secured_hnsw_leg(p_source, p_vector, p_condition, p_k, p_depth, p_index, p_stop_margin,
            p_share, p_least, p_max_candidates);
        leg := secured.leg;
        converged := secured.converged;
        ended := secured.ended;
        scanned := secured.scanned;
        return;
    end if;
    for product_id, image_position, distance, matches in execute candidates using p_vector, p_max_candidates loop
        scanned := scanned + 1;
        -- A batch has @hnsw_batch@ elements of the index, and rows with equal vectors share an element. Successive
        -- rows with equal distances are assumed to have equal vectors.
        if distance <> previous_distance then
            position_in_batch := case
                when distance < previous_distance then 1 else position_in_batch % @hnsw_batch@ + 1 end;
            batch_nearest := case when position_in_batch = 1 then distance else batch_nearest end;
            previous_distance := distance;
        end if;
        if matches then
            matching := matching || (product_id, image_position, distance)::shop_private.candidate;
            matched_after := matched_after || scanned;
        end if;
        if scanned = next_check then
            next_check := scanned + @hnsw_check_every@ * greatest(1, scanned / @hnsw_check_growth@);
            converged := cardinality(matching) >= p_depth and shop_private.scan_converged(
                matching, matched_after, p_k, p_depth, p_stop_margin, scanned, batch_nearest);
            -- p_share is the prior estimate of the share of candidates that match. It has the weight of
            -- @hnsw_prior_batches@ batches of examined candidates.
            gave_up := p_share is not null and (
                wanted * (scanned + @hnsw_prior_batches@ * @hnsw_batch@)
                    > p_max_candidates * (cardinality(matching) + @hnsw_prior_batches@ * @hnsw_batch@ * p_share)
                or scanned * p_share >= @hnsw_expected_matches@
                    and cardinality(matching) < scanned * p_share / @hnsw_anti_correlation@);
            exit when converged or gave_up;
        end if;
    end loop;
    leg := shop_private.leg_from_candidates(matching, p_depth);
    converged := (converged or p_share is null) and cardinality(leg.product_ids) = p_depth;
    ended := not converged and not gave_up and cardinality(leg.product_ids) = p_depth;
    leg.route := 'hnsw';
    leg.index_name := p_index;
    leg.ef_search := @hnsw_batch@;
    leg.rows_examined := scanned;
    leg.ms := extract(epoch from clock_timestamp() - began) * 1000;
end $$;
