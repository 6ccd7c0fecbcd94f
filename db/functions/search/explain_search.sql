-- How a search came about, a step a row: which condition, which route each leg took and through which index, how
-- many rows it looked at, how long it took. With sku, also where that product stands in each leg, however far down.
--
--   select * from shop.explain_search('black leather backpack', filter := '{"price": {"lt": 80}}', sku := 'A-17');
--
-- Takes the arguments of shop.search. VOLATILE, because it measures.
create or replace function shop.explain_search(
    query text default null, image bytea default null, inputs jsonb default null, filter jsonb default null,
    k integer default 10, catalog text default 'main',
    image_weight double precision default null, title_weight double precision default null, keyword_weight double precision default null,
    rrf_k integer default null, min_similarity double precision default null, max_gap double precision default null,
    degrade boolean default false, route text default null, sku text default null
)
returns setof shop.search_step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    p_catalog constant text := catalog;
    run record;
    part record;
    began timestamptz := clock_timestamp();
    id uuid;
    place bigint;
    distance double precision;
    hit shop.search_result;
begin
    run := shop_private.search_run(query, image, inputs, filter, k, null, p_catalog, image_weight, title_weight,
        keyword_weight, degrade, route, num_nonnulls(min_similarity, max_gap) > 0);
    run.rrf_k := coalesce(rrf_k, run.rrf_k);
    return query values
        ('query', null::text, null::text, null::integer, null::integer, null::bigint, run.vector_ms,
            coalesce('not encoded: ' || run.degraded, case when run.for_images is null then 'not encoded: by keywords alone' end, format('as vectors of model %s, revision %s', run.model, run.revision))),
        ('filter', case when run.condition = 'true' then 'none' when run.matched is not null then 'collected'
            else 'too many to collect' end, null, null, cardinality(run.matched), null, run.route_ms,
            format('%s; %s %s of %s products', run.condition, run.total_is, run.total, run.products));
    for part in
        select v.* from (values ('image', run.image_weight, run.image), ('title', run.title_weight, run.title),
            ('keyword', run.keyword_weight, run.keyword)) v(name, weight, leg)
    loop
        return query select part.name, case when part.weight = 0 then 'left out' else (part.leg).route end,
            (part.leg).index_name, (part.leg).ef_search, coalesce(cardinality((part.leg).product_ids), 0),
            (part.leg).examined, (part.leg).ms,
            concat_ws('; ', format('weight %s, %s deep', part.weight, run.depth), (part.leg).reason);
    end loop;
    return query select 'fusion', format('reciprocal rank, k %s', run.rrf_k), null::text, null::integer,
        (select count(*)::integer from shop_private.search_fuse(run.image, run.title, run.keyword, run.image_weight,
            run.title_weight, run.keyword_weight, run.rrf_k, run.for_images, min_similarity, max_gap)),
        null::bigint, extract(epoch from clock_timestamp() - began)::double precision * 1000, 'all of it';
    if sku is null then
        return;
    end if;

    id := shop.product_id(sku, p_catalog);
    if not exists (select from shop.product p where p.product_id = id) then
        raise exception using errcode = '42704', message = format('there is no product %L in catalog %L', sku, p_catalog);
    end if;
    execute format('select count(*) from shop.product p where p.product_id = $1 and %s', run.condition) into place using id;
    return query select 'sku ' || sku, case when place = 1 then 'matches the filter' else 'is outside the filter' end,
        null::text, null::integer, null::integer, null::bigint, null::double precision,
        (select format('rank %s, score %s', f.place, round(f.score::numeric, 5)) from (
            select f.*, row_number() over (order by f.score desc, f.product_id) as place
            from shop_private.search_fuse(run.image, run.title, run.keyword, run.image_weight, run.title_weight,
                run.keyword_weight, run.rrf_k, run.for_images, min_similarity, max_gap) f) f where f.product_id = id);
    for part in
        select v.* from (values ('image', run.image_weight, run.image, run.for_images),
            ('title', run.title_weight, run.title, run.for_titles)) v(name, weight, leg, vector)
        where v.weight > 0
    loop
        began := clock_timestamp();
        execute format('select min(i.embedding operator(@vector@.<=>) $1) from shop.%I i where i.product_id = $2',
            part.name || '_vector') into distance using part.vector, id;
        execute format('select 1 + count(distinct i.product_id) from shop.%I i
            join shop.product p on p.product_id = i.product_id
            where %s and i.embedding operator(@vector@.<=>) $1 < $2', part.name || '_vector', run.condition)
        into place using part.vector, distance;
        return query select format('sku %s, %s', sku, part.name),
            case when distance is null then 'not encoded' else 'exact' end, null::text, null::integer,
            array_position((part.leg).product_ids, id), null::bigint,
            extract(epoch from clock_timestamp() - began)::double precision * 1000,
            format('rank %s of all that match, distance %s', place, round(distance::numeric, 4));
    end loop;
end $$;
