-- Deletes the work items of deleted images. The trigger runs once for each statement, like the trigger in
-- products_inserted.sql.
create or replace function shop_private.product_images_deleted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from shop_private.work w using old_images o
    where w.product_id = o.product_id and w.part = 'image' and w.position = o.position;
    return null;
end $$;

create or replace trigger product_image_deleted after delete on shop.product_image
referencing old table as old_images for each statement execute function shop_private.product_images_deleted();
