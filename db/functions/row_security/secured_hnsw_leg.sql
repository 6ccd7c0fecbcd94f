-- Finds the same products as filtered_hnsw_leg for a role under row level security. The arguments and the results are
-- those of filtered_hnsw_leg. p_condition is null if the scan need not look up products (see scan_condition).
--
-- The statement of the scan returns only visible candidates, and leg.rows_examined counts these. But the server counts
-- how many candidates the index has returned, hidden ones too, and `scanned` is this number. So the limits of this
-- function have the same meaning with and without a policy. Four things differ from other scans:
--   - A batch is a number of the newest visible candidates: the average number of visible ones among @hnsw_batch@
--     candidates, but at least @hnsw_visible_batch@.
--   - The scan can give up only when it reaches a visible candidate. If p_share is given, the scan therefore ends at
--     the latest after @hnsw_secured_factor@ times the number of candidates that it should need, or after
--     @hnsw_secured_min@ if that is more.
--   - hnsw.max_scan_tuples limits the elements that pgvector visits, and pgvector visits up to @hnsw_visited@ elements
--     for each candidate. The limit is set so high that the scan ends before it, because pgvector leaves out near
--     elements after it has reached the limit.
--   - If less than @hnsw_probed_share@ of the products match, the function first tests the nearest @hnsw_probe@ /
--     p_share candidates, or fewer if filtered_hnsw_leg would give up after fewer. If none of them is visible, the
--     policy excludes the neighbourhood, and the scan gives up before it begins.
--
-- Rows are fetched one by one, because a FOR loop fetches up to 50 rows ahead and the server may pass many hidden
-- candidates for each row.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads pgvector, which defines the hnsw.* settings

create or replace function shop_private.secured_hnsw_leg(
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
    index constant oid := coalesce(to_regclass(p_index), 0);
    candidates constant text := format('select c.*, %s, %s from (
        select i.product_id, i.position, i.embedding operator(@vector@.<=>) $1 as distance
        from %s i order by i.embedding operator(@vector@.<=>) $1 limit $2) c %s',
        case when p_condition is null then 'true' else format('p.product_id is not null and (%s)', p_condition) end,
        format('pg_stat_get_xact_tuples_fetched(%s) - %s', index, pg_stat_get_xact_tuples_fetched(index)), p_source,
        case when p_condition is not null then 'left join shop.product p on p.product_id = c.product_id' end);
    wanted constant double precision := greatest(@hnsw_scan_factor@ * p_k, p_depth);
    most constant integer := least(p_max_candidates, case when p_share is not null
        then greatest(@hnsw_secured_min@, @hnsw_secured_factor@ * wanted / p_share) end);
    -- the number of candidates after which filtered_hnsw_leg gives up if none of them matches
    hopeless constant double precision := greatest(
        @hnsw_batch@, @hnsw_prior_batches@ * @hnsw_batch@ * (p_max_candidates * p_share / wanted - 1));
    scan refcursor;
    counted bigint;  -- the candidates that the server has counted
    product_id uuid;
    image_position smallint;
    distance double precision;
    matches boolean;
    matching shop_private.candidate[] := '{}';
    matched_after integer[] := '{}';  -- for each match, the number of candidates examined until it was found
    examined integer := 0;  -- the candidates that the statement returned
    next_check integer := p_least;
    distances double precision[] := '{}';  -- of the visible candidates
    batch_nearest double precision;  -- distance of the nearest candidate of the newest batch
    gave_up boolean := false;
begin
    converged := false;
    scanned := 0;
    perform set_config('hnsw.max_scan_tuples', least(@max_scan_tuples@, @hnsw_visited@ * most)::text, true);
    if p_share < @hnsw_probed_share@ then
        perform set_config('hnsw.iterative_scan', 'off', true),
            set_config('hnsw.ef_search',
                ceil(least(@max_ef_search@, hopeless, @hnsw_probe@ / p_share))::text, true);
        execute format('select count(*) = 0 from (select from %s i
            order by i.embedding operator(@vector@.<=>) $1 limit 1) c', p_source) into gave_up using p_vector;
        perform set_config('hnsw.iterative_scan', 'relaxed_order', true),
            set_config('hnsw.ef_search', '@hnsw_batch@', true);
    end if;
    open scan for execute candidates using p_vector, most;
    while not gave_up loop
        fetch scan into product_id, image_position, distance, matches, counted;
        exit when not found;
        examined := examined + 1;
        scanned := greatest(examined, counted);
        distances := distances || distance;
        if matches then
            matching := matching || (product_id, image_position, distance)::shop_private.candidate;
            matched_after := matched_after || scanned;
        end if;
        if scanned >= next_check then
            batch_nearest := (
                select min(d) from unnest(distances[greatest(1, examined + 1 - greatest(@hnsw_visible_batch@,
                    @hnsw_batch@ * examined / scanned)):]) d);
            next_check := scanned + @hnsw_check_every@ * greatest(1, scanned / @hnsw_check_growth@);
            converged := cardinality(matching) >= p_depth and shop_private.scan_converged(
                matching, matched_after, p_k, p_depth, p_stop_margin, scanned, batch_nearest);
            -- p_share is the prior estimate of the share of candidates that match. It has the weight of
            -- @hnsw_prior_batches@ batches of examined candidates.
            gave_up := p_share is not null and (
                scanned >= most or wanted * (scanned + @hnsw_prior_batches@ * @hnsw_batch@)
                    > p_max_candidates * (cardinality(matching) + @hnsw_prior_batches@ * @hnsw_batch@ * p_share)
                or scanned * p_share >= @hnsw_expected_matches@
                    and cardinality(matching) < scanned * p_share / @hnsw_anti_correlation@);
            exit when converged or gave_up;
        end if;
    end loop;
    close scan;
    leg := shop_private.leg_from_candidates(matching, p_depth);
    converged := (converged or p_share is null) and cardinality(leg.product_ids) = p_depth;
    ended := not converged and not gave_up and cardinality(leg.product_ids) = p_depth;
    leg.route := 'hnsw';
    leg.index_name := p_index;
    leg.ef_search := @hnsw_batch@;
    leg.rows_examined := examined;
    leg.ms := extract(epoch from clock_timestamp() - began) * 1000;
end $$;
