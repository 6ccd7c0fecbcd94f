-- Checks a vector leg (a ranking by image or title) that one scan of an index has found without a filter. A scan can
-- end in a region of the graph that is far from the nearest products, and it often does if the newest calibration
-- missed its target. If the target was reached, the leg is returned as it is. So are a leg of a label and a leg under
-- row level security, where the sample could have to read every vector.
--
-- The leg is compared with a sample: the @checked_sample@ vectors of p_source with the smallest keys, as far as their
-- products meet p_condition. p_condition is a condition on p (shop.product) or 'true', and p_source is the source of
-- the vectors (see leg_source). Keys are hashes, so the sample is random, and it is the same for equal searches. The
-- scan has missed products if a product of the sample belongs among the first @checked_results@ products of the leg, or
-- among the first p_k if these are fewer, but is not there.
--
-- If the scan has missed products and p_matches, the number of products that match, is at most @exact_without_ef@, all
-- of them should be compared: the result then has a reason, and neither a route nor products. If more products match,
-- the products of the sample join the leg, and walks from the nearest products follow (see leg_from_starts). The
-- function needs no SET clause, because it runs under the search_path of vector_leg.
create or replace function shop_private.checked_leg(
    p_part text, p_source text, p_bits integer, p_vector @vector@.halfvec, p_condition text, p_k integer,
    p_depth integer, p_matches double precision, p_settings shop_private.search_settings, inout leg shop_private.leg
)
language plpgsql stable as $$
declare
    began constant timestamptz := clock_timestamp();
    nearer shop_private.candidate[];
    merged shop_private.leg;
begin
    if p_settings.misses_target is not true or p_settings.labels is not null
        or row_security_active('shop.product'::regclass)
    then
        return;
    end if;
    nearer := array(
        select s from unnest(shop_private.source_sample(p_source, p_vector, p_condition, @checked_sample@)) s
        where s.product_id <> all(leg.product_ids)
            and s.distance < leg.measures[least(p_k, @checked_results@, cardinality(leg.measures))]);
    leg.rows_examined := leg.rows_examined + @checked_sample@;
    leg.ms := leg.ms + extract(epoch from clock_timestamp() - began) * 1000;
    if nearer <> '{}' and p_matches <= @exact_without_ef@ then
        leg := null;
        leg.reason := p_part || ': the index missed products, so all products were compared';
    elsif nearer <> '{}' then
        merged := shop_private.leg_from_candidates(nearer || array(
            select (l.product_id, l.position, l.distance)::shop_private.candidate
            from unnest(leg.product_ids, leg.positions, leg.measures) l(product_id, position, distance)), p_depth);
        leg.product_ids := merged.product_ids;
        leg.positions := merged.positions;
        leg.measures := merged.measures;
        leg := shop_private.leg_from_starts(
            p_part, p_source, p_bits, p_vector, null, null, nullif(p_condition, 'true'), p_k, p_depth, leg);
    end if;
end $$;
