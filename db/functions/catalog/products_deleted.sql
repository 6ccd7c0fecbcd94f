-- Deletes the images and the work items of deleted products. Foreign keys delete these rows too, but a first big load
-- defers the foreign keys (db/lifecycle/deferred_indexes.py).
create or replace function shop_private.products_deleted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from shop.product_image i using old_products o where i.product_id = o.product_id;
    delete from shop_private.work w using old_products o where w.product_id = o.product_id;
    return null;
end $$;

create or replace trigger product_deleted after delete on shop.product
referencing old table as old_products for each statement execute function shop_private.products_deleted();
