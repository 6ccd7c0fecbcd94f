-- Returns products to show before a query is typed: the products that pass the filter, encoded or not, in the order of
-- product_id. This order is the same on every call, mixes departments, and can be read from an index. It does not rank
-- the products.
--
--   select sku, title, price from shop.browse('{"price": {"lt": 80}}', k => 24);
--
-- `after` is the product_id of the last row of the previous page; null returns the first page. A null filter lets every
-- product pass.
create or replace function shop.browse(
    filter jsonb default null, k integer default 10, catalog text default 'main', after uuid default null
)
returns table (
    product_id uuid, sku text, title text, brand text, product_type text, price numeric, currency text,
    availability text, color text, link text, image_link text, image_uri text, image_position smallint
)
language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp as $$
begin
    if k is null or k not between 1 and @max_results@ then
        raise exception using errcode = '22023', message = format('k is %s', coalesce(k::text, 'null')),
            hint = 'A call returns 1 to @max_results@ products. For more, pass the last row''s product_id as after.';
    end if;
    return query execute format('select p.product_id, p.sku, p.title, p.brand, p.product_type, p.price, p.currency,
            p.availability, p.color, p.link, p.image_link, i.uri, 0::smallint
        from shop.product p
        left join shop.product_image i on i.product_id = p.product_id and i.position = 0
        where (%s) and (%s)%s
        order by p.product_id limit %s',
        shop_private.catalog_condition(catalog), shop_private.filter_condition(filter),
        case when after is not null then format(' and p.product_id > %L', after) end, k);
end $$;
