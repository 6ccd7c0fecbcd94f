-- Returns the stop margin (see filtered_hnsw_leg) of a scan for the products that pass a filter. p_margin is the
-- calibrated margin. p_share is the share of the scanned products that pass. If fewer than @narrow_share@ pass, the
-- margin is smaller: the last match that the scan needs is then farther from the query, so the scan has already covered
-- more of the neighbourhood.
create or replace function shop_private.narrow_margin(p_margin double precision, p_share double precision)
returns double precision
language sql immutable parallel safe as $$
    select p_margin * power(least(1, p_share / @narrow_share@), @narrow_power@)
$$;
