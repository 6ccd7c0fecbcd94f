-- Returns the text columns of shop.product that shop.facets can count.
create or replace function shop_private.facet_columns() returns text[]
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select array['availability', 'brand', 'color', 'condition', 'currency', 'item_group_id', 'material', 'product_type',
        'size']
$$;
