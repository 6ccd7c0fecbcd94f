-- The search that every door opens onto: by text, picture, both, or a weighted list of inputs, inside a filter.
--
--   select sku, title, score from shop.search('black leather backpack', filter := '{"price": {"lt": 80}}');
--
-- Always min(k, matching products) products. The columns say where each leg ranked a product and what that added to
-- its score, which route was taken, how many rows were looked at, and whether the answer is complete. Distances are
-- cosine distances. min_similarity and max_gap cut results whose picture is less similar than that, or less similar
-- than the best one's by more than that.
--
-- Pages: after := the last row's cursor. The first page is a search of its own; the pages behind it share one window of
-- 1,000 results, less the first page, so pages neither repeat nor skip while catalog, model and calibration stay.
create or replace function shop.search(
    query text default null, image bytea default null, inputs jsonb default null, filter jsonb default null,
    k integer default 10, catalog text default 'main',
    image_weight double precision default null, title_weight double precision default null, keyword_weight double precision default null,
    rrf_k integer default null, min_similarity double precision default null, max_gap double precision default null,
    after text default null, degrade boolean default false, route text default null
)
returns setof shop.search_result
language plpgsql stable set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    p_k constant integer := k;
    p_catalog constant text := catalog;
    run record;
    deep record;
    i shop_private.leg;
    t shop_private.leg;
    w shop_private.leg;
    version text;
    key constant text := md5(concat_ws(chr(31), query, md5(image), inputs, filter, catalog, image_weight, title_weight,
        keyword_weight, rrf_k, min_similarity, max_gap, degrade, route));
    page_k integer := k;  -- of the first page
    page_end integer := 0;
    how text;
    examined bigint;
    note text;
    nearest bigint;
begin
    if rrf_k not between 1 and 10000 then
        raise exception using errcode = '22023', message = 'rrf_k is not between 1 and 10000', hint = 'Usual is 60.';
    end if;
    if after is not null then
        select c.version, c.first_k, c.place into version, page_k, page_end from shop_private.search_cursor(after, key) c;
    end if;
    run := shop_private.search_run(query, image, inputs, filter, page_k, null, p_catalog, image_weight, title_weight,
        keyword_weight, degrade, route, num_nonnulls(min_similarity, max_gap) > 0);
    run.rrf_k := coalesce(rrf_k, run.rrf_k);
    if version <> concat_ws('-', run.model_id, run.calibration_id) then
        raise exception using errcode = '55000', message = 'the model or its calibration has changed since the first page',
            hint = 'Begin again without after.';
    end if;
    version := concat_ws('-', run.model_id, run.calibration_id);
    i := run.image; t := run.title; w := run.keyword;
    deep := run;
    if page_end + p_k > page_k then
        deep := shop_private.search_run(query, image, inputs, filter, page_k, 1000, p_catalog, image_weight, title_weight,
            keyword_weight, degrade, route, num_nonnulls(min_similarity, max_gap) > 0);
    end if;

    how := case when 'hnsw' in (i.route, t.route) then 'hnsw'
        when 'exact' in (i.route, t.route) then 'exact' else 'keyword' end;
    examined := coalesce(i.examined, 0) + coalesce(t.examined, 0)
        + coalesce(w.examined, 0);
    nearest := cardinality(coalesce(i.product_ids, t.product_ids));
    note := nullif(concat_ws('; ', 'only keywords were searched, ' || run.degraded, i.reason,
        t.reason, case when nearest < run.depth and nearest < cardinality(run.matched)
            then format('%s more match but are not encoded', cardinality(run.matched) - nearest) end), '');

    return query
    with first as (
        select f.*, row_number() over (order by f.score desc, f.product_id) as place
        from shop_private.search_fuse(
            i, t, w, run.image_weight, run.title_weight, run.keyword_weight, run.rrf_k, run.for_images, min_similarity, max_gap) f
        order by f.score desc, f.product_id limit page_k
    ), list as (
        select f.* from first f
        union all
        select d.*, (select count(*) from first) + row_number() over (order by d.score desc, d.product_id)
        from shop_private.search_fuse(
            deep.image, deep.title, deep.keyword, run.image_weight, run.title_weight, run.keyword_weight, run.rrf_k,
            run.for_images, min_similarity, max_gap) d
        where page_end + p_k > page_k and not exists (select from first f where f.product_id = d.product_id)
    ), page as (
        select l.* from list l where l.place > page_end order by l.place limit p_k
    )
    select l.place::integer, l.product_id, p.sku, p.title, p.brand, p.product_type, p.price, p.currency, p.availability,
        p.color, p.link, p.image_link, f.uri, coalesce(l."position", 0::smallint), l.score,
        l.image_rank, l.image_distance, l.image_contribution, l.title_rank, l.title_distance, l.title_contribution,
        l.keyword_rank, l.keyword_score, l.keyword_contribution,
        how, examined, run.degraded is null, note, run.total, run.total_is,
        concat_ws('.', key, version, page_k, l.place)
    from page l
    join shop.product p on p.product_id = l.product_id
    left join shop.product_image f on f.product_id = l.product_id and f.position = coalesce(l."position", 0)
    order by l.place;
    if not found and page_end = 0 then
        raise notice 'no product was found: %', coalesce(note, case when run.total = 0 then 'none matches the filter'
            when num_nonnulls(min_similarity, max_gap) > 0 then 'none is similar enough' else 'none is encoded' end);
    end if;
end $$;

-- A cursor's parts, when it belongs to this search.
create or replace function shop_private.search_cursor(p_cursor text, p_key text)
returns table (version text, first_k integer, place integer)
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    part constant text[] := regexp_match(p_cursor, '^([0-9a-f]{32})\.([0-9]+(?:-[0-9]+)?)\.([0-9]{1,4})\.([0-9]{1,4})$');
begin
    if part is null or part[3]::integer not between 1 and 1000 then
        raise exception using errcode = '22023', message = 'after is not a cursor',
            hint = 'It is the value of the column cursor of a row of the page before.';
    end if;
    if part[1] <> p_key then
        raise exception using errcode = '22023', message = 'the cursor belongs to another search',
            hint = 'Give the same query, filter and options as on the first page; k may differ.';
    end if;
    return query select part[2], part[3]::integer, part[4]::integer;
end $$;
