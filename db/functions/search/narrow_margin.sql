-- Returns the stop margin (see filtered_hnsw_leg) of a scan for the products that pass a filter. p_margin is the
-- calibrated margin, and p_share the share of the products that pass. If matches are rarer, the last match that a scan
-- needs is farther from the query, and the scan needs a smaller margin beyond this match.
create or replace function shop_private.narrow_margin(p_margin double precision, p_share double precision)
returns double precision
language sql immutable parallel safe as $$
    select p_margin * power(least(1, p_share / @narrow_share@), @narrow_power@)
$$;
