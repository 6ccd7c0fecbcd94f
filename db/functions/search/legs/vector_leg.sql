-- Ranks products by their images or titles (p_part), and returns this ranking, which is a vector leg. The function
-- takes the cheapest route that is accurate enough. A match is a product that meets p_condition, a condition on p
-- (shop.product). The leg has p_depth products, or all encoded matches if there are fewer. A partial leg (see
-- compared_leg) can have fewer.
--
--   the whole catalog                          -> one scan of the HNSW index (unfiltered_hnsw_leg)
--   a catalog among several, or all products
--   except the products given as input         -> one scan, longer if the share is smaller (scaled_hnsw_leg)
--   at most settings.exact_limit matches       -> compare all matches (compared_leg; see also search_leg)
--   more matches                               -> filtered scan of the HNSW index (filtered_hnsw_leg)
--   an index over bits                         -> one scan of it in place of the scans above (bit_leg)
--   the filter implies labels with indexes     -> scans of their indexes in place of the scans above (label_scan)
--   the filtered scan gives up, or a scan of
--   a label missed products of label_sample    -> compare all matches, or if walks are cheaper (see below), walk from
--                                                 several starts (leg_from_starts)
--   a query of several inputs (a mix)          -> compare all matches, or above @compare_limit@ matches walk from
--                                                 several starts
--   too few products were found                -> compare at most @compare_most@ matches (compared_leg)
--
-- A walk is a scan that searches near another vector than the query's.
--
-- A filter can correlate with the query (the query "shoes" among shoes) or anti-correlate with it. The number of
-- matches therefore does not predict how many candidates the scan must visit. p_matched lists the matches, or is null
-- if the matches were not collected. If this function collects the matches, p_matched returns them. The number of
-- matches is the length of p_matched, or an estimate from p_share, the share of all products that match. Up to
-- @compare_limit@ matches, a scan may cost at most as much as comparing all matches. In the code, `comparison` is the
-- cost of comparing all matches, expressed as a number of candidates; under a filter on an attribute, this cost
-- includes reading every product. `affordable` is the largest number of candidates of a scan. p_filtered says whether a
-- filter applies. Under a filter, p_share is an estimate, and the share of matches near the query can be different. If
-- the scan gives up, up to @compare_limit@ matches are compared, because this is cheaper than walks. Up to
-- @far_compare_limit@ matches are compared if this costs no more than @far_walk_candidates@ candidates.
--
-- The scans read the indexes of p_settings.labels if the search has labels. The walks read the index of the label if
-- the search has one label, otherwise the index of all vectors (see leg_source). p_condition includes the condition of
-- the labels.
--
-- p_starts lists the inputs of a mix with a positive weight, and is null for a single input. The first p_k products
-- have the calibrated recall. The later products are needed only for the fusion. p_route is the route that the caller
-- forces, or null. A search compares more than @compare_most@ matches, or exact_limit of p_settings if that is larger,
-- only on the route 'exact' or if the leg has no index. Under a filter and without p_route, a scan examines at most
-- @hnsw_usual_candidates@ candidates or, if this is more, @hnsw_depth_factor@ times the number that should contain
-- p_depth matches (p_depth / source_share). No scan examines more than @hnsw_max_candidates@.
create or replace function shop_private.vector_leg(
    p_part text, p_vector @vector@.halfvec, p_starts @vector@.halfvec[], p_condition text, p_k integer,
    p_depth integer, p_route text, p_share double precision, p_filtered boolean,
    p_settings shop_private.search_settings, inout p_matched uuid[], out leg shop_private.leg
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    by_image constant boolean := p_part = 'image';
    vectors constant regclass := case when by_image then p_settings.image_table else p_settings.title_table end;
    rows_per_product constant double precision :=
        case when by_image then p_settings.images / greatest(1.0, p_settings.products) else 1 end;
    source constant record := shop_private.leg_source(p_part, p_settings);
    share constant double precision :=  -- of all products
        greatest(least(coalesce(p_share, @assumed_share@ * source.share), source.share), 0.000001);
    source_share constant double precision := share / source.share;  -- of the products of the source
    matches constant double precision := coalesce(  -- the number of matches, or an estimate
        cardinality(p_matched), greatest(p_settings.exact_limit, share * p_settings.products));
    scanned constant text := shop_private.scan_condition(p_condition, vectors);
    few constant boolean := matches <= @compare_limit@;
    index constant text := case when p_route = 'exact' or p_route is null and p_settings.products <=
        p_settings.exact_limit or p_route is null and p_starts is not null and few then null else source.index end;
    comparison constant double precision := shop_private.comparison_cost(p_condition, matches, p_matched, p_settings);
    comparable constant boolean := few or matches <= @far_compare_limit@ and comparison <= @far_walk_candidates@;
    affordable constant integer := least(@hnsw_max_candidates@, case when p_route is null and few then comparison end);
    usual constant integer := least(affordable, case when p_route is null then
        greatest(@hnsw_usual_candidates@, @hnsw_depth_factor@ * p_depth / source_share) end);
    ef_search constant integer := greatest(source.ef_search, case when p_starts is not null then @mix_ef_search@ end);
    most constant integer := greatest(@compare_most@, p_settings.exact_limit);  -- matches that may be compared
    scan record;
    sampled shop_private.candidate[];  -- see label_scan
    compared record;
    tried shop_private.leg;  -- the result of the index, even if the scan did not converge
begin
    if index is null then null;  -- all matches are compared
    elsif source.route = 'label' then
        scan := shop_private.label_scan(p_part, p_vector, p_condition, p_k, p_depth, source_share,
            p_filtered or p_share is null, usual, affordable, case when p_starts is not null then @mix_ef_search@ end,
            p_settings);
        tried := scan.tried;
        sampled := scan.sampled;
        leg := case when scan.complete then tried end;
    elsif source.bits is not null then
        scan := shop_private.bit_leg(p_part, source.vectors, source.bits, p_vector, scanned, source_share, p_depth,
            rows_per_product, index, ef_search, affordable, p_route is not null);
        tried := scan.leg;
        leg := case when scan.complete then tried end;
    elsif scanned is null and not row_security_active('shop.product'::regclass) then
        tried := shop_private.unfiltered_hnsw_leg(
            p_part, p_vector, p_depth, rows_per_product, index::regclass, ef_search);
        leg := case when cardinality(tried.product_ids) = p_depth then tried end;
        tried.reason := format('%s: the index found %s products, so all products were compared',
            p_part, coalesce(cardinality(tried.product_ids), 0));
    elsif p_filtered or p_share is null then
        scan := shop_private.filtered_hnsw_leg(source.vectors, p_vector, scanned, p_k, p_depth, index,
            shop_private.narrow_margin(p_settings.stop_margin, coalesce(p_share / source.share, 1)),
            case when p_route is null then share end, @hnsw_first_check@, usual);
        tried := scan.leg;
        tried.reason := case when scan.ended then format(
            '%s: the scan of the index ended after %s candidates', p_part, tried.rows_examined) end;
        leg := case when scan.converged or scan.ended and scan.scanned >= @hnsw_usual_candidates@ then tried end;
    elsif not few or ef_search / share <= affordable then
        scan := shop_private.scaled_hnsw_leg(source.vectors, p_vector, p_condition, share, p_depth,
            rows_per_product, index, ef_search, affordable);
        tried := scan.leg;
        leg := case when scan.converged then tried end;
    end if;
    leg := case when leg.route is null or p_filtered or p_starts is not null or p_route is not null then leg
        else shop_private.checked_leg(p_part, source.vectors, source.bits, p_vector, p_condition, p_k, p_depth,
            matches, p_settings, leg) end;
    tried.reason := case when leg.route is null and tried.route is not null then coalesce(leg.reason, tried.reason,
        p_part || ': few of the nearest products match, so all products that match were compared') end;
    if tried.route is not null and leg.route is null and p_starts is null and p_route is null and p_matched is null
        and p_filtered and comparable then
        p_matched := (select m from shop_private.first_matches(p_condition, @compare_most@ + 1) m
            where cardinality(m) <= @compare_most@);  -- null if the estimate was too small
    end if;
    if tried.route is not null and p_route is null and (p_starts is not null
        or leg.route is null and p_matched is null and (p_filtered or not few and leg.reason is null)) then
        leg := shop_private.leg_from_starts(p_part, source.vectors, source.bits, p_vector, p_starts,
            coalesce(sampled, case when leg.route is null then
                shop_private.sampled_matches(p_part, p_vector, p_condition, share, p_settings.products) end),
            scanned, p_k, p_depth, tried);
        tried := leg;
        leg.reason := null;
    end if;
    leg.route := case when leg.route is not null then source.route end;
    if cardinality(leg.product_ids) = p_depth then
        leg := case when by_image then shop_private.nearest_images(p_vector, leg) else leg end;
        return;
    end if;
    compared := shop_private.compared_leg(p_part, p_vector, p_condition,
        case when p_route is distinct from 'exact' and source.index is not null and (p_filtered or matches > most)
            then most end, p_depth, rows_per_product, vectors, tried, p_matched);
    p_matched := compared.p_matched;
    leg := compared.leg;
end $$;
