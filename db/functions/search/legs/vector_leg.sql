-- Runs a vector leg (p_part: image or title) by the cheapest route that is accurate enough. The leg always has p_depth
-- products, or every product that matches if fewer match.
--
--   no filter                                  -> one scan of the HNSW index (unfiltered_hnsw_leg)
--   at most settings.exact_limit matches       -> compare all matches (exact_leg)
--   more matches                               -> filtered scan of the HNSW index (filtered_hnsw_leg);
--                                                 if it gives up, compare all matches
--
-- A filter can correlate with the query (the query "shoes" among shoes) or anti-correlate with it, so the number of
-- matches does not predict how many candidates the scan must visit. That number is the length of p_matched if the
-- matches were collected, otherwise the share p_share of all products. The scan may cost at most as much as comparing
-- all matches.
--
-- The first p_k products have the calibrated recall; the products after them serve the fusion. p_route is the route
-- that the caller forces, or null. A forced index scan has no cost limit.
create or replace function shop_private.vector_leg(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_k integer, p_depth integer, p_route text,
    p_share double precision, p_settings shop_private.search_settings, inout p_matched uuid[],
    out leg shop_private.leg
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    by_image constant boolean := p_part = 'image';
    vectors constant regclass := case when by_image then p_settings.image_table else p_settings.title_table end;
    rows_per_product constant double precision :=
        case when by_image then p_settings.images / greatest(1.0, p_settings.products) else 1 end;
    index constant regclass := case
        when p_route = 'exact' or p_route is null and p_settings.products <= p_settings.exact_limit then null
        when by_image then p_settings.image_index else p_settings.title_index end;
    unfiltered constant boolean := p_condition = 'true' and not row_security_active('shop.product'::regclass);
    share constant double precision := coalesce(p_share, @assumed_share@);
    matches constant double precision := coalesce(
        cardinality(p_matched), greatest(p_settings.exact_limit, share * p_settings.products));  -- an estimate
    affordable constant double precision := p_settings.exact_us_per_row / p_settings.hnsw_us_per_candidate * matches
        * case when p_matched is null then @collect_cost_factor@ else 1 end;  -- in candidates
    scan record;
    tried shop_private.leg;  -- an index scan that was not good enough
begin
    if index is not null and unfiltered then
        leg := shop_private.unfiltered_hnsw_leg(
            p_part, p_vector, p_depth, rows_per_product, index, p_settings.ef_search);
        if cardinality(leg.product_ids) = p_depth then
            return;
        end if;
        tried := leg;
        tried.reason := format('%s: the index found %s, so all were compared',
            p_part, coalesce(cardinality(leg.product_ids), 0));
    elsif index is not null and (p_matched is null or cardinality(p_matched) > p_settings.exact_limit) then
        scan := shop_private.filtered_hnsw_leg(
            p_part, p_vector, p_condition, p_k, p_depth, index, p_settings.stop_margin,
            case when p_route is null then share end,
            least(@hnsw_max_candidates@, case when p_route is null then affordable end)::integer);
        if scan.converged then
            leg := scan.leg;
            return;
        end if;
        tried := scan.leg;
        tried.reason := format('%s: few of the nearest %s match, so all that match were compared',
            p_part, tried.rows_examined);
    end if;
    if p_matched is null and p_condition <> 'true' and p_route is null and matches <= @collect_limit@ then
        p_matched := (shop_private.collect_matches(
            p_condition, @collect_limit@, p_settings.products, p_share)).matched;
    end if;
    leg := shop_private.exact_leg(p_part, p_vector, p_condition, p_matched, p_depth, rows_per_product, vectors);
    if tried.route is not null then
        leg.reason := tried.reason;
        leg.rows_examined := leg.rows_examined + tried.rows_examined;
        leg.ms := leg.ms + tried.ms;
    end if;
end $$;
