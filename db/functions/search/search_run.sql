-- One search before fusion: the vectors, the condition, the route, and what each leg found. shop.search ranks it,
-- shop.explain_search shows it. p_depth null: as deep as the first p_k results need. p_cut: vectors are needed to cut results.
create or replace function shop_private.search_run(
    p_query text, p_image bytea, p_inputs jsonb, p_filter jsonb, p_k integer, p_depth integer, p_catalog text,
    p_image_weight double precision, p_title_weight double precision, p_keyword_weight double precision, p_degrade boolean, p_route text, p_cut boolean,
    out model_id smallint, out model text, out revision text, out calibration_id bigint, out products bigint,
    out depth integer,
    out image shop_private.leg, out title shop_private.leg, out keyword shop_private.leg,
    out image_weight double precision, out title_weight double precision, out keyword_weight double precision,
    out rrf_k integer,
    out for_images @vector@.halfvec, out for_titles @vector@.halfvec,
    out condition text, out matched uuid[], out known bigint, out total bigint, out total_is text,
    out vector_ms double precision, out route_ms double precision, out degraded text
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set max_parallel_workers_per_gather = 0  -- a search is one of many: it takes one core
as $$
declare
    s record;
    part record;
    to_compare boolean;
    unfiltered boolean;
    share double precision;  -- of the products that match, about
    few bigint;
    words text;
    named uuid[];
    clock timestamptz := clock_timestamp();
begin
    if p_k is null or p_k not between 1 and @max_results@ then
        raise exception using errcode = '22023', message = format('k is %s', coalesce(p_k::text, 'null')),
            hint = 'From 1 to 1000 results can be had at once; go on with after := the last row''s cursor.';
    end if;
    if p_route not in ('exact', 'hnsw') then
        raise exception using errcode = '22023', message = format('there is no route %L', p_route),
            hint = 'exact, hnsw, or null to let the search choose.';
    end if;
    if exists (select from unnest(array[p_image_weight, p_title_weight, p_keyword_weight]) w
               where w < 0 or w > 1000 or w = 'NaN') then
        raise exception using errcode = '22023', message = 'the weight of a leg is not between 0 and 1000',
            hint = '0 leaves a leg out. For "less like this" give an entry of inputs a negative weight.';
    end if;

    s := shop_private.search_settings();
    model_id := s.model_id; model := s.model; revision := s.revision; calibration_id := s.calibration_id; products := s.products;
    rrf_k := s.rrf_k;
    condition := shop_private.catalog_condition(p_catalog);
    if p_filter is not null then
        condition := case when condition = 'true' then '' else condition || ' and ' end
            || format('(%s)', shop_private.filter_condition(p_filter));
        condition := case when condition = '(true)' then 'true' else condition end;
    end if;

    if p_query is not null and num_nonnulls(p_image, p_inputs) = 0 and greatest(p_image_weight, p_title_weight, 0) = 0
        and num_nonnulls(p_image_weight, p_title_weight) = 2 and not p_cut then
        words := p_query;  -- by keywords alone: nothing has to be encoded
    elsif p_degrade and p_query is not null then
        begin
            select q.for_images, q.for_titles, q.words, q.named into for_images, for_titles, words, named
            from shop_private.query_vectors(p_query, p_image, p_inputs, p_catalog) q;
        exception when sqlstate 'WS001' or sqlstate 'WS002' or sqlstate 'WS004' then
            degraded := sqlerrm;
            words := p_query;
        end;
    else
        select q.for_images, q.for_titles, q.words, q.named into for_images, for_titles, words, named
        from shop_private.query_vectors(p_query, p_image, p_inputs, p_catalog) q;
    end if;
    unfiltered := condition = 'true';
    vector_ms := extract(epoch from clock_timestamp() - clock) * 1000;

    -- A picture says little about titles and nothing in words.
    image_weight := case when degraded is null then coalesce(p_image_weight, s.image_weight) else 0 end;
    title_weight := case when degraded is null
        then coalesce(p_title_weight, case when words is null then 0 else s.title_weight end) else 0 end;
    keyword_weight := case when words is null then 0 when degraded is null
        then coalesce(p_keyword_weight, s.keyword_weight) else 1 end;
    if greatest(image_weight, title_weight, keyword_weight) = 0 then
        raise exception using errcode = '22023', message = 'every leg is left out by its weight',
            hint = 'A query without a text has no keywords; give another leg a weight above 0.';
    end if;
    depth := coalesce(p_depth, case
        when (image_weight > 0)::int + (title_weight > 0)::int + (keyword_weight > 0)::int = 1 then p_k
        else least(1000, greatest(50, 3 * p_k)) end);

    -- So many are compared without a look into the index: a look that finds nothing has cost its own time and theirs.
    clock := clock_timestamp();
    few := greatest(100, s.ef_search * s.hnsw_us_per_candidate / s.exact_us_per_row);
    known := few;
    if p_route is null and condition <> 'true' then
        select m.matched, m.share into matched, share from shop_private.search_matches(condition, known, products) m;
    end if;
    route_ms := extract(epoch from clock_timestamp() - clock) * 1000;
    if named is not null then
        matched := case when matched is not null then array(select m from unnest(matched) m where m <> all(named)) end;
        condition := case when condition = 'true' then '' else condition || ' and ' end
            || format('p.product_id <> all(%L::uuid[])', named);
    end if;
    to_compare := case when p_route is null then products <= few else p_route = 'exact' end;
    if image_weight > 0 then
        part := shop_private.search_leg('image', for_images, condition, p_k, depth, s.pictures / greatest(1.0, s.products),
            s.image_table, case when not to_compare then s.image_index end, s, p_route is null, share, few, matched);
        image := part.leg; matched := part.p_matched;
    end if;
    if title_weight > 0 then
        part := shop_private.search_leg('title', for_titles, condition, p_k, depth, 1, s.title_table,
            case when not to_compare then s.title_index end, s, p_route is null, share, few, matched);
        title := part.leg; matched := part.p_matched;
    end if;
    total := coalesce(cardinality(matched), case when unfiltered then products when p_route is null then known + 1
        else cardinality(coalesce(image.product_ids, title.product_ids)) end);
    total_is := case when matched is not null then 'exact' when unfiltered then 'about' else 'at least' end;
    if keyword_weight > 0 then
        keyword := shop_private.keyword_leg(words, p_catalog, condition, matched,
            image.product_ids || title.product_ids, depth, s.products);
    end if;
end $$;
