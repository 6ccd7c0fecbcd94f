-- Returns the queries of a suite of shop.judgement, each with the grades of its judged products by SKU. Products that
-- do not exist count as not judged, and `grades` is null if no relevant product is left. A query whose image is the
-- first image of a product is left out while this image is not encoded. `windowshop evaluate` measures the queries that
-- have grades.
create or replace function shop_private.suite_queries(p_suite text)
returns table (
    catalog text, query_id uuid, label text, query text, picture_of bigint, picture_sku text, grades jsonb
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return query
    with judged as (
        select j.catalog, j.query_id, concat_ws(' + ', min(j.query), 'sku:' || min(j.picture_sku),
                min(encode(sha256(j.picture), 'hex'))) as label,
            min(j.query) as query, min(j.judgement_id) filter (where j.picture is not null) as picture_of,
            min(j.picture_sku) as picture_sku,
            jsonb_object_agg(j.sku, j.grade) filter (where p.product_id is not null) as grades,
            max(j.grade) filter (where p.product_id is not null) as best
        from shop.judgement j
        left join shop.product p on p.product_id = shop.product_id(j.sku, j.catalog)
        where j.suite = p_suite group by j.catalog, j.query_id
    )
    select o.catalog, o.query_id, o.label, o.query, o.picture_of, o.picture_sku, case when o.best > 0 then o.grades end
    from judged o
    where o.picture_sku is null or exists (select from shop.image_vector v
        where v.product_id = shop.product_id(o.picture_sku, o.catalog) and v.position = 0)
    order by o.catalog, o.label, o.query_id;
end $$;
