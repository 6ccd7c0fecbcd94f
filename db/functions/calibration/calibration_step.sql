-- Runs a calibration for about p_seconds: continues the unfinished calibration with the same arguments, or begins a new
-- one. The caller repeats the call, each time in a transaction of its own, until calibration_id of the returned row is
-- not null. The calibration is then complete. Between two calls the calibration holds no lock. If the caller is killed,
-- a later caller with the same arguments continues after the last committed call. p_first says that this is the first
-- call of the caller. If this first call continues the calibration of an earlier caller, a message says so.
create or replace function shop_private.calibration_step(
    p_target double precision, p_k integer, p_queries integer, p_seconds double precision, p_first boolean
)
returns shop.calibration
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
set max_parallel_workers_per_gather = 0  -- a search has no parallel workers either
as $$
declare
    until constant timestamptz := clock_timestamp() + make_interval(secs => p_seconds);
    begun constant record := shop_private.calibration_begin(p_target, p_k, p_queries, true);
begin
    if p_first and begun.resumed then
        raise info 'continuing the calibration that began at %', date_trunc('second', (begun.run).began_at);
    end if;
    if not begun.resumed and clock_timestamp() >= until then
        return null;
    end if;
    return shop_private.calibration_measure(begun.run, p_queries, until);
end $$;
