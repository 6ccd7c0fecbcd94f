-- Runs a walk (a scan of the index of p_source) to each of p_targets, with p_candidates candidates for each walk.
-- Returns the candidates whose product meets p_condition, with their distances from the query p_vector, and the number
-- of all candidates. p_condition is a condition on p (shop.product), or null (see scan_condition). p_source is the
-- source of the vectors, and p_bits says what its index stores (see leg_source). One statement runs all walks, because
-- planning a statement takes as long as examining about 20 candidates. The function needs no SET clause, because it
-- runs under the search_path of leg_from_starts.
create or replace function shop_private.walks(
    p_source text, p_bits integer, p_vector @vector@.halfvec, p_targets @vector@.halfvec[], p_condition text,
    p_candidates integer, out matching shop_private.candidate[], out examined bigint
)
language plpgsql stable as $$
begin
    perform set_config('hnsw.ef_search', p_candidates::text, true);
    execute format(
        'select array_agg((w.product_id, w.position, w.distance)::shop_private.candidate) filter (where %s),
            sum(w.times)
        from (select c.product_id, c.position, min(c.distance) as distance, count(*) as times
            from unnest($2) t(target), lateral (
                select i.product_id, i.position, i.embedding operator(@vector@.<=>) $1 as distance
                from %s i order by %s limit $3) c
            group by c.product_id, c.position) w %s',
        case when p_condition is null then 'true' else format('p.product_id is not null and (%s)', p_condition) end,
        p_source, shop_private.scan_order(p_bits, 't.target'),
        case when p_condition is not null then 'left join shop.product p on p.product_id = w.product_id' end)
    into matching, examined using p_vector, p_targets, p_candidates;
end $$;
