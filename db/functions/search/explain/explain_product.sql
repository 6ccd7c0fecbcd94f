-- Returns the rows of shop.explain_search about one product. The first row shows whether the product passes the filter,
-- and its rank in the results. A further row for each vector leg (the ranking by image or by title) with a weight shows
-- the product's exact rank among all products that pass the filter.
create or replace function shop_private.explain_product(
    p_request shop_private.search_request, p_run shop_private.search_run, p_sku text
)
returns setof shop.search_step
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    wanted constant uuid := shop.product_id(p_sku, p_request.catalog);
    part record;
    began timestamptz;
    matches boolean;
    distance double precision;
    nearer bigint;  -- the number of products that pass the filter and are nearer to the query
    place integer;  -- the product's rank in the leg
begin
    if not exists (select from shop.product p where p.product_id = wanted) then
        raise exception using errcode = '42704',
            message = format('there is no product %L in catalog %L', p_sku, p_request.catalog);
    end if;
    execute format('select exists (select from shop.product p where p.product_id = $1 and %s)', p_run.condition)
    into matches using wanted;
    return query select 'sku ' || p_sku, case when matches then 'matches the filter' else 'is outside the filter' end,
        null::text, null::integer, count(f.place)::integer, null::bigint, null::double precision,
        case when count(f.place) > 0
            then format('rank %s, score %s', max(f.place), round(max(f.score)::numeric, 5))
                || coalesce(', comes first by its ' || max(f.exact_match), '') end
        from shop_private.fuse_legs(p_run, p_request.min_similarity, p_request.max_gap) f
        where f.product_id = wanted;
    for part in
        select v.* from (values ('image', p_run.image_weight, p_run.image_leg, p_run.image_vector),
            ('title', p_run.title_weight, p_run.title_leg, p_run.title_vector)) v(name, weight, leg, vector)
        where v.weight > 0
    loop
        began := clock_timestamp();
        place := array_position((part.leg).product_ids, wanted);
        execute format('select min(i.embedding operator(@vector@.<=>) $1) from shop.%I i where i.product_id = $2',
            part.name || '_vector') into distance using part.vector, wanted;
        execute format('select count(distinct i.product_id) from shop.%I i
            join shop.product p on p.product_id = i.product_id
            where %s and i.embedding operator(@vector@.<=>) $1 < $2', part.name || '_vector', p_run.condition)
        into nearer using part.vector, distance;
        return query select format('sku %s, %s', p_sku, part.name),
            case when distance is null then 'not encoded' else 'exact' end, null::text, null::integer,
            case when place is null then 0 else 1 end, null::bigint,
            extract(epoch from clock_timestamp() - began)::double precision * 1000,
            case when distance is not null then format('rank %s of all that match, distance %s; %s', nearer + 1,
                round(distance::numeric, 4), coalesce('rank ' || place || ' in the leg', 'not found by the leg')) end;
    end loop;
end $$;
