-- Returns the quarantined items and their errors.
create or replace function shop_private.work_quarantined()
returns table (model text, catalog text, sku text, part text, "position" smallint, uri text, error text)
language sql stable rows 100 security definer set search_path = pg_catalog, pg_temp as $$
    select m.name, p.catalog, p.sku, w.part::text, w.position, i.uri, w.error
    from shop_private.work w
    join shop.model m on m.model_id = w.model_id
    join shop.product p on p.product_id = w.product_id
    left join shop.product_image i on w.part = 'image' and i.product_id = w.product_id and i.position = w.position
    where w.state = 'quarantined'
    order by p.catalog, p.sku, w.part, w.position;
$$;
