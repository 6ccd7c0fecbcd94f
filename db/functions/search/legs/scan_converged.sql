-- Returns whether a filtered scan of the HNSW index has converged. The header of filtered_hnsw_leg defines the rule.
-- p_matching lists the matches in the order in which they were found. p_matched_after[n] is the number of candidates
-- examined until p_matching[n] was found, and p_examined is the number of candidates examined so far. p_batch_nearest
-- is the distance of the nearest candidate of the newest batch. The function has no SET clause, because
-- filtered_hnsw_leg and secured_hnsw_leg call it many times per scan and a SET clause would cost time on each call. It
-- runs under the settings of these functions.
create or replace function shop_private.scan_converged(
    p_matching shop_private.candidate[], p_matched_after integer[], p_k integer, p_depth integer,
    p_stop_margin double precision, p_examined integer, p_batch_nearest double precision
)
returns boolean
language plpgsql immutable as $$
declare
    products integer;
    kth_distance double precision;
    newest integer;  -- number of candidates examined until the last of the nearest p_k products was found
begin
    select count(*), max(n.distance) filter (where n.place <= p_k), max(n.matched_after) filter (where n.place <= p_k)
    into products, kth_distance, newest
    from (
        select min(m.distance) as distance, min(m.matched_after) as matched_after,
            row_number() over (order by min(m.distance)) as place
        from unnest(p_matching, p_matched_after) m(product_id, "position", distance, matched_after)
        group by m.product_id) n;
    return products >= p_depth and p_examined >= 2 * newest
        and sqrt(2 * greatest(0, p_batch_nearest)) > sqrt(2 * greatest(0, kth_distance)) + p_stop_margin;
end $$;
