-- Returns products to show before a query is typed: the products that pass the filter, encoded or not. The function
-- does not rank the products.
--
--   select sku, title, effective_price from shop.browse('{"price": {"lt": 80}}', k => 24, sort => 'effective_price');
--
-- `sort` is one or more fields, such as 'effective_price desc' or 'availability, title' (see sort_keys). The effective
-- price is the price at the time of the statement (shop.effective_price). Products without a value come last, and
-- product_id orders equal products. A null `sort` orders by product_id. This order is the same on every call, and mixes
-- products of all types. An index gives the orders price, price desc, effective_price and effective_price desc, and the
-- order of a null `sort`. For any other sort, the function reads all products that pass the filter.
--
-- `after_cursor` is the cursor of the last row of the previous page; null returns the first page. Without `sort`, the
-- product_id of that row may be passed as `after` instead. A null filter lets every product pass.
--
-- group_by => 'item_group_id' lists one product for each group of variants: the product that comes first in the order
-- (see browse_heads for very large groups). `sort` must then be null, or an order that is read from an index.
-- group_products is the number of the group's products that pass the filter, up to @group_most_products@. group_low and
-- group_high are the lowest and highest effective price of these products, in the currency of the listed product.
-- Without group_by, these columns are null. A product without item_group_id is a group of its own.
create or replace function shop.browse(
    filter jsonb default null, k integer default 10, catalog text default 'main', after uuid default null,
    sort text default null, after_cursor text default null, group_by text default null
)
returns table (
    product_id uuid, sku text, title text, brand text, product_type text, price numeric, currency text,
    availability text, color text, link text, image_link text, image_uri text, image_position smallint,
    effective_price numeric, cursor text, group_value text, group_products bigint, group_low numeric,
    group_high numeric
)
language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp
set max_parallel_workers_per_gather = 0 as $$  -- parallel workers would change the order of the merge in browse_keys
declare
    -- the field and the direction of a sort that is read from an index
    part constant text[] := regexp_match(sort,
        E'^\\s*(price|effective_price)(?:\\s+(?:[Aa][Ss][Cc]|([Dd][Ee][Ss][Cc])))?\\s*$');
    by_index constant text := nullif(concat_ws(' ', part[1], lower(part[2])), '');
    direction constant text := coalesce(lower(part[2]), 'asc');
    keys text;
    figures record;
    missing integer := k;
    added integer;
begin
    if k is null or k not between 1 and @max_results@ then
        raise exception using errcode = '22023', message = format('k is %s', coalesce(k::text, 'null')),
            hint = 'A call returns 1 to @max_results@ products. For more, pass the last row''s cursor as after_cursor.';
    end if;
    if group_by <> 'item_group_id' or (group_by is not null and sort is not null and part is null) then
        raise exception using errcode = '22023',
            message = format('a list has no group_by => %s%s', to_jsonb(left(group_by, 80)),
                case when group_by = 'item_group_id' then format(' with sort => %s', to_jsonb(left(sort, 80))) end),
            hint = 'Pass item_group_id, and no sort or a sort by price or effective_price.';
    end if;
    if sort is not null and after_cursor is null then
        perform shop_private.browse_currency(s.money, s.has_money, filter, catalog) from shop_private.sort_keys(sort) s;
    end if;
    if sort is not null and part is null then
        return query
        select p.product_id, p.sku, p.title, p.brand, p.product_type, p.price, p.currency, p.availability, p.color,
            p.link, p.image_link, i.uri, 0::smallint,
            shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at), f.cursor,
            null::text, null::bigint, null::numeric, null::numeric
        from shop_private.browse_sorted(filter, catalog, k, sort, after, after_cursor) f
        join shop.product p on p.product_id = f.product_id
        left join shop.product_image i on i.product_id = p.product_id and i.position = 0
        order by f.place;
        return;
    end if;
    figures := shop_private.browse_figures(filter, catalog, group_by);
    for keys in
        select * from shop_private.browse_keys(filter, catalog, after, by_index, after_cursor) where group_by is null
        union all
        select 'select * from shop_private.browse_heads($2, $3, $4, $5, $6, $1)' where group_by is not null
    loop
        return query execute format('select h.product_id, h.sku, h.title, h.brand, h.product_type, h.price, h.currency,
                h.availability, h.color, h.link, h.image_link, i.uri, 0::smallint,
                shop.effective_price(h.price, h.sale_price, h.sale_starts_at, h.sale_ends_at),
                concat(%1$L || coalesce(f.key::text, '''') || ''|'', h.product_id), %4$s
            from (%2$s) f
            join shop.product h on h.product_id = f.product_id
            left join shop.product_image i on i.product_id = h.product_id and i.position = 0
            %5$s
            order by f.key %3$s nulls last, f.product_id %3$s',
            by_index || '|', keys, direction, figures.columns, figures.joined)
        using missing, filter, catalog, after, by_index, after_cursor;
        get diagnostics added = row_count;
        missing := missing - added;
        exit when missing = 0;
    end loop;
end $$;
