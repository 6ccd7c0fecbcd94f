-- Scans the indexes of the labels of p_settings one after another, and ranks the products of all scans together. A
-- label is a frequent value of a field; the products with this value have an HNSW index of their own. Of the products
-- of the labels, the share p_share meets p_condition, a condition on p (shop.product). p_filtered is true if p_share is
-- an estimate. A scan examines at most p_usual candidates if p_filtered is true, otherwise at most p_affordable.
-- Neither limit applies if all products of the labels match. p_least_ef is the smallest ef_search, or null. `tried` has
-- the products that were found.
--
-- `complete` is false if a scan did not converge (see filtered_hnsw_leg), or has missed products. A filtered scan that
-- found p_depth products and ended after @hnsw_usual_candidates@ candidates or more counts as converged. Products of a
-- label can form regions that are far from each other and from the query, and a scan of the index can end in the wrong
-- region. So the found products are compared with a sample of each label, unless all products of the labels match and a
-- calibration has measured the scans of their image indexes (see calibration_labels). If a match of the samples belongs
-- among the first p_k products but was not found, `sampled` has the matches of the samples. Otherwise it is null. The
-- function needs no SET clause, because it runs under the search_path of vector_leg.
create or replace function shop_private.label_scan(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_k integer, p_depth integer, p_share double precision,
    p_filtered boolean, p_usual integer, p_affordable integer, p_least_ef integer,
    p_settings shop_private.search_settings,
    out tried shop_private.leg, out complete boolean, out sampled shop_private.candidate[]
)
language plpgsql stable as $$
declare
    rows_per_product constant double precision := case when p_part = 'image'
        then p_settings.images / greatest(1.0, p_settings.products) else 1 end;
    -- whether every product of the labels matches; then no product is looked up
    whole constant boolean := p_settings.label_share is not null and not row_security_active('shop.product'::regclass);
    -- whether the calibration has shown that scans with label_ef find the products of the labels
    measured constant boolean := whole and p_part = 'image' and p_least_ef is null and p_settings.label_ef is not null;
    one shop_private.search_settings := p_settings;  -- the settings of a single label
    label integer;
    source record;
    ef_search integer;
    scan record;
    found shop_private.candidate[] := '{}';
    samples shop_private.candidate[] := '{}';
    merged shop_private.leg;
begin
    complete := true;
    foreach label in array p_settings.labels loop
        one.labels := array[label];
        if cardinality(p_settings.labels) > 1 then
            one.label_images := shop_private.label_rows(p_settings.model, 'image', label);
            one.label_titles := shop_private.label_rows(p_settings.model, 'title', label);
        end if;
        source := shop_private.leg_source(p_part, one);
        ef_search := case when measured then p_settings.label_ef else greatest(source.ef_search, p_least_ef) end;
        if whole then
            scan := shop_private.label_hnsw_leg(
                source.vectors, p_vector, p_depth, rows_per_product, source.index, ef_search);
        elsif p_filtered then
            scan := shop_private.filtered_hnsw_leg(source.vectors, p_vector, p_condition, p_k, p_depth, source.index,
                shop_private.narrow_margin(p_settings.stop_margin, p_share), p_share, ef_search, p_usual);
            tried.reason := case when scan.ended then format('%s: the scan of the index ended after %s candidates',
                p_part, (scan.leg).rows_examined) else tried.reason end;
            scan.converged := scan.converged
                or scan.ended and (scan.leg).rows_examined >= @hnsw_usual_candidates@;
        else
            scan := shop_private.scaled_hnsw_leg(source.vectors, p_vector, p_condition, p_share, p_depth,
                rows_per_product, source.index, ef_search, p_affordable);
        end if;
        complete := complete and scan.converged;
        found := found || array(select (l.product_id, l.position, l.distance)::shop_private.candidate
            from unnest((scan.leg).product_ids, (scan.leg).positions, (scan.leg).measures)
                l(product_id, position, distance));
        tried.ef_search := greatest(tried.ef_search, (scan.leg).ef_search);
        tried.rows_examined := coalesce(tried.rows_examined, 0) + (scan.leg).rows_examined;
        tried.ms := coalesce(tried.ms, 0) + (scan.leg).ms;
        tried.index_name := concat_ws(', ', tried.index_name, (scan.leg).index_name);
        if complete and not measured then
            samples := samples || shop_private.source_sample(
                source.vectors, p_vector, case when whole then 'true' else p_condition end, @label_sample@);
        end if;
    end loop;
    merged := shop_private.leg_from_candidates(found, p_depth);
    tried.product_ids := merged.product_ids;
    tried.positions := merged.positions;
    tried.measures := merged.measures;
    tried.route := 'hnsw';
    if complete and exists (select from unnest(samples) s where s.product_id <> all(tried.product_ids)
        and s.distance < tried.measures[least(p_k, p_depth)])
    then
        complete := false;
        sampled := samples;
        tried.reason := p_part || ': the index of the label missed products, so all products that match were compared';
    end if;
end $$;
