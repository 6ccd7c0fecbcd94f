-- Runs a search up to the fusion of its legs (the rankings by image, title and keyword). Returns the vectors, the
-- weights and the condition of the search, and the result of each leg. shop.search fuses the results of the legs;
-- shop.explain_search shows the results. p_depth is the depth that the caller wants, or null (see choose_weights).
-- Before the legs run, at most exact_limit matches are collected, because comparing these costs less than an index scan
-- that gives up.
create or replace function shop_private.run_search(p_request shop_private.search_request, p_depth integer default null)
returns shop_private.search_run
language plpgsql stable
set search_path = pg_catalog, pg_temp
set max_parallel_workers_per_gather = 0  -- each search uses one core, because many searches run at the same time
as $$
declare
    settings shop_private.search_settings;
    run shop_private.search_run;
    inputs record;  -- the result of search_inputs
    leg record;
    filtered boolean;
    share double precision;  -- share of all products that match, estimated under a filter; null if not known
    known_share double precision;  -- the share of the catalog or the label if no other filter applies, otherwise null
    -- whether policies may hide products from the caller; the statistics of the table count hidden products too
    secured constant boolean := row_security_active('shop.product'::regclass) and not shop_private.sees_every_product();
    matched uuid[];  -- the matching products if they were collected, otherwise null
    step_began timestamptz := clock_timestamp();
begin
    perform shop_private.check_request(p_request);
    settings := shop_private.search_settings();
    run := shop_private.new_run(p_request, settings);
    p_request := shop_private.ruled_request(p_request, run.ranking);
    run.condition := shop_private.search_condition(p_request);
    inputs := shop_private.search_inputs(p_request);
    -- The labels are read after search_inputs, which may wait for an encoder, because labels can change in this time.
    settings := shop_private.search_labels(p_request, run.condition, settings);
    filtered := secured or run.condition <> 'true' and settings.label_share is null
        and num_nonnulls(p_request.filter, (p_request.parsed).condition) > 0;
    known_share := case when not secured then coalesce(settings.label_share, case when run.condition = 'true' then 1
        when not filtered then shop_private.catalog_share(p_request.catalog) end) end;
    run.image_vector := inputs.image_vector;
    run.title_vector := inputs.title_vector;
    run.degraded := inputs.degraded;
    run.vector_ms := extract(epoch from clock_timestamp() - step_began) * 1000;
    run := shop_private.choose_weights(p_request, settings, inputs.words is not null, p_depth, run);
    step_began := clock_timestamp();
    share := known_share;
    if p_request.route is null and (secured or run.condition <> 'true')
        and (share is null or share * settings.products <= 2 * settings.exact_limit)
    then
        select m.matched, m.share into matched, share
        from shop_private.collect_matches(run.condition, settings.exact_limit, settings.products,
            case when settings.products > settings.exact_limit
                then nullif(sign(run.image_weight) + sign(run.title_weight), 0) * greatest(
                    @hnsw_scan_factor@ * p_request.k, run.depth) * settings.hnsw_us_per_candidate end, share) m;
    end if;
    run.filter_ms := extract(epoch from clock_timestamp() - step_began) * 1000;
    inputs.named := inputs.named || (run.ranking).hidden;  -- the results exclude given products and hidden products
    if inputs.named is not null then
        matched := case when matched is not null
            then array(select m from unnest(matched) m where m <> all(inputs.named)) end;
        run.condition := case when run.condition = 'true' then '' else run.condition || ' and ' end
            || format('p.product_id <> all(%L::uuid[])', inputs.named);
        settings.label_share := null;
    end if;
    if run.image_weight > 0 then
        leg := shop_private.search_leg('image', run.image_vector, inputs.image_starts, run.condition, p_request.k,
            run.depth, p_request.route, share, filtered, settings, matched);
        run.image_leg := leg.leg;
        matched := leg.p_matched;
    end if;
    if run.title_weight > 0 then
        leg := shop_private.search_leg('title', run.title_vector, inputs.title_starts, run.condition, p_request.k,
            run.depth, p_request.route, share, filtered, settings, matched);
        run.title_leg := leg.leg;
        matched := leg.p_matched;
    end if;
    if p_request.cut is not null then
        run := shop_private.relevant_products(p_request, settings, inputs.words, matched, share, run);
    elsif run.keyword_weight > 0 then
        run.keyword_leg := shop_private.keyword_leg(inputs.words, p_request.catalog, run.condition, matched,
            (run.image_leg).product_ids || (run.title_leg).product_ids, run.depth, settings.products,
            p_request.synonyms, coalesce(p_request.correct, true));
    end if;
    if p_request.change is not null then
        run := shop_private.rank_by_change(p_request, run);
    elsif inputs.words is not null and p_request.keyword_weight is distinct from 0 then
        step_began := clock_timestamp();
        run.exact := shop_private.exact_matches(inputs.words, p_request.catalog, run.condition,
            (run.image_leg).product_ids || (run.title_leg).product_ids || (run.keyword_leg).product_ids || matched);
        run.exact_ms := extract(epoch from clock_timestamp() - step_began) * 1000;
    end if;
    if p_request.cut is not null then
        run.cut.product_ids := shop_private.sorted_cut(p_request, run);
    end if;
    run.route := coalesce((select r from unnest('{label,bit,hnsw,exact}'::text[]) r
        where r in ((run.image_leg).route, (run.title_leg).route) limit 1), 'keyword');
    run.rows_examined := coalesce((run.image_leg).rows_examined, 0) + coalesce((run.title_leg).rows_examined, 0)
        + coalesce((run.keyword_leg).rows_examined, 0);
    return shop_private.search_total(p_request, settings, known_share, share, matched, run);
end $$;
