-- Searches by a text, an image, both, or a weighted list of inputs, among the products that pass a filter.
--
--   select sku, title, score from shop.search('black leather backpack', filter := '{"price": {"lt": 80}}');
--
-- Returns at most k products. The result has fewer products if fewer pass the filter, if the legs (the rankings by
-- image, title and keyword) find fewer, or if min_similarity, max_gap or cut drops some. The columns say where each leg
-- ranked a product and how much the leg added to the score of the product. Further columns say which route the search
-- took, how many rows were examined, and whether the answer is complete. The column total is the number of products
-- that pass the filter, encoded or not. With group_by, total counts groups. Distances are cosine distances.
-- docs/search.md describes the arguments that are not named here.
--
--   min_similarity  drops products whose image is less similar to the query than this cosine similarity
--   max_gap         drops products whose image is less similar than the best image by more than this difference
--   cut             'relevant' keeps only the products that are similar to the query, have a word of the query, or are
--                   named by the query (see relevant_products.sql). With a cut, total counts only the kept products
--   change          such as 'but red': takes the products that look like the image or the inputs, and ranks them by
--                   this text, which says how they should differ (see rank_by_change.sql)
--   sort            such as 'effective_price, title desc': sorts the products that pass the cut by these fields (see
--                   sort_keys.sql). With sort, cut is 'relevant' by default
--   group_by        such as 'item_group_id': returns one row for each group of products with the same value (see
--                   group_heads.sql)
--   diversity       from 0 to 1: puts products that look different first (see diversified.sql)
--   correct         false takes every word as typed. By default, a word that no product has is taken as misspelt and
--                   finds titles with similar words. The column corrected_query is the query with such words in place
--                   of the misspelt ones
--
-- For the next page, pass the cursor of the last row as after, as long as has_next is true. The first page comes from a
-- search of its own. All further pages come from one larger search, without the products of the first page; each leg of
-- this search ranks @max_results@ products. But with sort, group_by or diversity, every page comes from the same search
-- as the first page. With group_by or diversity, and without sort, a later page can also come from a second search,
-- whose legs have the largest depth (see arranged_page.sql). Pages therefore neither repeat nor skip products while the
-- catalog, the model, its calibration and what the shop sets (such as synonyms, rules and signals) stay the same. There
-- is one exception: if a variant of the query with a synonym is encoded between two pages, the vector of the query
-- changes (see text_vector.sql).
--
-- A new option is an argument with a default at the end; a new result column comes at the end of shop.search_result.
-- Statements that name the arguments and the columns then keep working. A new argument changes the signature, so the
-- upgrade drops the function and creates it again. CONTRIBUTING.md ("A search option") names every place that needs the
-- option.
create or replace function shop.search(
    query text default null, image bytea default null, inputs jsonb default null, filter jsonb default null,
    k integer default 10, catalog text default 'main',
    image_weight double precision default null, title_weight double precision default null,
    keyword_weight double precision default null,
    rrf_k integer default null, min_similarity double precision default null, max_gap double precision default null,
    after text default null, degrade boolean default false, route text default null, cut text default null,
    change text default null, sort text default null, group_by text default null,
    diversity double precision default null, correct boolean default true, image_box double precision[] default null,
    signals jsonb default null, rules text default null
)
returns setof shop.search_result
language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    request shop_private.search_request := row(query, image, nullif(inputs, 'null'), filter, k, catalog, image_weight,
        title_weight, keyword_weight, rrf_k, min_similarity, max_gap, degrade, route,
        case when sort is null then cut else coalesce(cut, 'relevant') end,
        case when change ~ E'\\S' then change end, sort, group_by, nullif(diversity, 0), null, null, correct,
        image_box, nullif(signals, 'null'), rules);
    key constant text := md5(row(query, md5(image), inputs, filter, catalog, image_weight, title_weight, keyword_weight,
        rrf_k, min_similarity, max_gap, degrade, route, cut, change, sort, group_by, nullif(diversity, 0), correct,
        image_box, signals, rules, nullif(current_setting('shop.language', true), ''))::text);
    run shop_private.search_run;
    window_run shop_private.search_run;
    first_version text;  -- the model and calibration of the first page
    version text;
    first_k integer := k;  -- k of the first page
    skip integer := 0;  -- the number of results on earlier pages
    mark text;  -- in a sorted list, the mark of the last row of the previous page
    reason text;
    corrected text;
    total bigint;
    total_is text;
begin
    -- An empty query finds nothing and raises no error, because one row of a batch of queries may have no text.
    request := shop_private.read_query(request);
    if num_nonnulls(image, request.inputs) = 0 and coalesce(request.query, '') !~ E'\\S' then
        perform shop_private.check_request(request);
        reason := case when query ~ E'\\S' then 'the query only excludes products' else 'the query is empty' end;
        raise notice using errcode = 'WS101', message = 'no product was found: ' || reason, detail = reason,
            hint = 'Give words to search for, an image or inputs.';
        return;
    end if;
    if after is not null then
        perform shop_private.check_request(request);  -- checks k; run_search below checks first_k
        select c.version, c.first_k, c.place, c.mark into first_version, first_k, skip, mark
        from shop_private.search_cursor(after, key) c;
        request.k := first_k;
    end if;
    run := shop_private.run_search(request);
    version := concat_ws('-', run.model_id, run.calibration_id);
    if first_version <> version then
        raise exception using errcode = '55000', hint = 'Begin again at the first page, without after.',
            message = 'the model or its calibration has changed since the first page';
    end if;
    if num_nonnulls(sort, group_by, request.diversity) = 0 and skip + k > first_k then
        window_run := shop_private.run_search(request, @max_results@);
    end if;
    -- A message costs up to a millisecond, so only a share of the searches (shop.timed_searches) reports its times.
    if random() < coalesce(nullif(current_setting('shop.timed_searches', true), '')::double precision, 0) then
        raise debug using errcode = 'WS106', message = 'search: times of the legs', detail = jsonb_build_object(
            'query', jsonb_build_array('none', run.vector_ms),
            'image', jsonb_build_array((run.image_leg).route, (run.image_leg).ms),
            'title', jsonb_build_array((run.title_leg).route, (run.title_leg).ms),
            'keyword', jsonb_build_array((run.keyword_leg).route, (run.keyword_leg).ms));
    end if;
    perform shop_private.tell_rules(run.ranking);
    reason := shop_private.search_reason(run);
    corrected := shop_private.corrected_query(query, run.keyword_leg, run.products);
    total := case when request.cut is null then run.total else cardinality((run.cut).product_ids) end;
    total_is := case when request.cut is null then run.total_is else (run.cut).total_is end;
    if group_by is not null then
        select g.total, g.total_is into total, total_is from shop_private.group_total(request, run) g;
    end if;

    return query
    select r.place::integer, r.product_id, p.sku, p.title, p.brand, p.product_type, p.price, p.currency,
        p.availability, p.color, p.link, p.image_link, i.uri, coalesce(r.position, 0::smallint), r.score,
        r.image_rank, r.image_distance, r.image_contribution, r.title_rank, r.title_distance, r.title_contribution,
        r.keyword_rank, r.keyword_score, r.keyword_contribution,
        run.route, run.rows_examined, run.degraded is null and (run.image_leg).partial is not true
            and (run.title_leg).partial is not true, shop_private.page_reason(concat_ws('; ', reason, r.note), request,
            max(r.place) over (), total, total_is, count(*) over () > k), greatest(total, max(r.place) over ()),
        case when total_is = 'about' and total < max(r.place) over () then 'at least' else total_is end,
        concat_ws('.', key, version, first_k, r.place, r.mark), count(*) over () > k, r.exact_match,
        r.group_value, r.group_products, r.group_low, r.group_high, corrected, r.shop_ranking, (run.ranking).names
    from shop_private.search_page(request, run, window_run, first_k, skip, k, mark) r
    join shop.product p on p.product_id = r.product_id
    left join shop.product_image i on i.product_id = r.product_id and i.position = coalesce(r.position, 0)
    order by r.place limit k;
    if found then
        return;
    end if;
    raise debug using errcode = 'WS105', message = 'search: a page without rows', detail = jsonb_build_object(
        'total', total, 'total_is', total_is, 'route', run.route, 'rows_examined', run.rows_examined);
    if skip = 0 then
        reason := concat_ws('; ', 'only keywords were searched, ' || run.degraded,
            shop_private.no_result_reason(request, run));
        raise notice using errcode = case when run.degraded is null then 'WS101' else 'WS102' end,
            message = 'no product was found: ' || reason, detail = reason;
    end if;
end $$;
