-- Measures the live catalog, so that a search can choose between an index scan and a comparison of all matches. The
-- function chooses ef_search for searches without a filter. For searches with a filter, it chooses the stop margin (see
-- filtered_hnsw_leg), unless the index is over bits (see bit_leg). Of the values that it tries, it chooses the smallest
-- whose recall@k reaches the target with 95 % confidence. If no value reaches the target, the function chooses the
-- knee, which is the smallest value whose recall is nearly the best. A chosen stop margin that reaches the target is
-- multiplied by a factor (see calibration_stop_margin). The function also measures the time of one comparison, the time
-- of one candidate of the index, and how similar queries are to unrelated products. With these figures, the function
-- then measures searches for mixes of products, and searches whose filter excludes the products nearest to the query.
-- Messages of level INFO report the progress.
--
-- The function computes the stored durations from lower quartiles of the measured durations. Other load on the machine
-- makes some measured durations longer, but this extra time is not a cost of a search. The function stores the result
-- as a row of shop.calibration and returns that row. Later searches use the row.
--
-- The function keeps all its locks, such as those of ANALYZE, until the caller's transaction ends. It therefore
-- analyzes only tables that were never analyzed. `windowshop calibrate` measures in short transactions instead (see
-- shop_private.calibration_step), and can be stopped and continued.
create or replace function shop.calibrate(
    target_recall double precision default 0.98, k integer default 10, queries integer default 150
)
returns shop.calibration
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
set max_parallel_workers_per_gather = 0  -- a search has no parallel workers either
as $$
begin
    return shop_private.calibration_measure(
        (shop_private.calibration_begin(target_recall, k, queries, false)).run, queries, null);
end $$;
