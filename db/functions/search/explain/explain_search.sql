-- Runs a search and explains it. Each row describes one step: its route, its index, the number of products that it
-- found, the number of rows that it read, and its time in milliseconds. If sku is given, further rows show the exact
-- rank of that product by image and by title, even if the search did not find the product. A ranking with weight 0 has
-- no such row.
--
--   select * from shop.explain_search('black leather backpack', filter := '{"price": {"lt": 80}}', sku := 'A-17');
--
-- The other arguments are those of shop.search, except `after`. The function is VOLATILE because it measures times.
create or replace function shop.explain_search(
    query text default null, image bytea default null, inputs jsonb default null, filter jsonb default null,
    k integer default 10, catalog text default 'main',
    image_weight double precision default null, title_weight double precision default null,
    keyword_weight double precision default null,
    rrf_k integer default null, min_similarity double precision default null, max_gap double precision default null,
    degrade boolean default false, route text default null, cut text default null,
    sku text default null, change text default null, sort text default null, group_by text default null,
    diversity double precision default null, correct boolean default true, image_box double precision[] default null,
    signals jsonb default null, rules text default null
)
returns setof shop.search_step
language plpgsql volatile rows 10 set search_path = pg_catalog, pg_temp as $$
declare
    began constant timestamptz := clock_timestamp();
    request shop_private.search_request := row(query, image, nullif(inputs, 'null'), filter, k, catalog,
        image_weight, title_weight, keyword_weight, rrf_k, min_similarity, max_gap, degrade, route,
        case when sort is null then cut else coalesce(cut, 'relevant') end,
        case when change ~ E'\\S' then change end, sort, group_by, nullif(diversity, 0), null, null, correct,
        image_box, nullif(signals, 'null'), rules);
    run shop_private.search_run;
begin
    request := shop_private.read_query(request);
    if num_nonnulls(image, request.inputs, request.query) = 0 and query ~ E'\\S' then
        perform shop_private.check_request(request);
        return query select s.* from shop_private.explain_operators(request) s;
        return;  -- the query only excludes products
    end if;
    run := shop_private.run_search(request);
    return query select s.* from shop_private.explain_query(run) s;
    return query select s.* from shop_private.explain_operators(request) s;
    return query select s.* from shop_private.explain_synonyms(request) s;
    return query select s.* from shop_private.explain_exact(run) s;
    return query
    select s.* from shop_private.explain_leg('image', run.image_leg, run.image_weight, run.depth) s
    union all select s.* from shop_private.explain_leg('title', run.title_leg, run.title_weight, run.depth) s
    union all select s.* from shop_private.explain_leg('keyword', run.keyword_leg, run.keyword_weight, run.depth) s;
    return query select s.* from shop_private.explain_correction(query, run.keyword_leg, run.products) s;
    return query select s.* from shop_private.explain_change(run) s;
    return query select s.* from shop_private.explain_cut(run) s;
    return query select s.* from shop_private.explain_sort(run, sort) s;
    return query select s.* from shop_private.explain_groups(request, run) s;
    return query select s.* from shop_private.explain_rules(run) s;
    return query select s.* from shop_private.explain_signals(run,
        case when sku is not null then shop.product_id(sku, catalog) end, sku) s;
    return query select 'fusion',
        case when change ~ E'\\S' then 'by the change' else format('reciprocal rank, k %s', run.rrf_k) end,
        null::text, null::integer,
        (select count(*)::integer from shop_private.fuse_legs(run, min_similarity, max_gap)), null::bigint,
        extract(epoch from clock_timestamp() - began)::double precision * 1000, 'time of the whole search';
    if sku is not null then
        return query select s.* from shop_private.explain_product(request, run, sku) s;
    end if;
end $$;
