-- Returns products that look like the product `sku`; the results exclude this product. By default, the products are
-- ranked by their images alone. A title_weight above 0 also ranks the products by their titles. change => 'but red'
-- says how the products should differ from this product (see shop.search).
--
--   select sku, title, price from shop.similar('A-17', filter := '{"price": {"lt": 40}}');
create or replace function shop.similar(
    sku text, filter jsonb default null, k integer default 10, catalog text default 'main',
    image_weight double precision default 1, title_weight double precision default 0,
    min_similarity double precision default null, max_gap double precision default null, after text default null,
    route text default null, cut text default null, change text default null, sort text default null,
    group_by text default null, diversity double precision default null, signals jsonb default null
)
returns setof shop.search_result
language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp as $$
declare
    changed constant boolean := coalesce(change ~ E'\\S', false);  -- with a change, default weights are not passed on
begin
    if sku is null then
        raise exception using errcode = '22023', message = 'sku is null',
            hint = 'sku names the product to compare with. In a join, exclude rows without a sku.';
    end if;
    return query
    select r.* from shop.search(
        inputs => jsonb_build_array(jsonb_build_object('sku', sku)), filter => filter, k => k, catalog => catalog,
        image_weight => case when not changed or image_weight <> 1 then image_weight end,
        title_weight => case when not changed or title_weight <> 0 then title_weight end,
        keyword_weight => case when not changed then 0 end,
        min_similarity => min_similarity, max_gap => max_gap, after => after, route => route, cut => cut,
        change => change, sort => sort, group_by => group_by, diversity => diversity,
        signals => signals) r;
end $$;
