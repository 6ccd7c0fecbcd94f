-- Enqueues the titles of the products that any session inserts. The trigger runs once for each statement, because a
-- statement of a load inserts thousands of rows.
create or replace function shop_private.products_inserted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into shop_private.work (product_id, model_id, part)
    select n.product_id, m.model_id, 'title'
    from new_products n, shop.model m where m.status in ('building', 'serving');
    return null;
end $$;

create or replace trigger product_inserted after insert on shop.product
referencing new table as new_products for each statement execute function shop_private.products_inserted();
