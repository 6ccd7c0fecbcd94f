-- Deletes the work items of deleted images. A product can become searchable when its last waiting item is deleted, so
-- the product is noted for webhooks and watches. The trigger runs once for each statement, like the trigger in
-- products_inserted.sql.
create or replace function shop_private.product_images_deleted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    serving_id constant smallint := (select m.model_id from shop.model m where m.status = 'serving');
    products uuid[];
begin
    with deleted as (
        delete from shop_private.work w using old_images o
        where w.product_id = o.product_id and w.part = 'image' and w.position = o.position
        returning w.product_id, w.model_id
    )
    select array_agg(d.product_id) into products from deleted d where d.model_id = serving_id;
    if products is not null and exists (select from shop_private.webhook w where w.disabled_at is null) then
        perform shop_private.webhook_note('searchable', serving_id, products);
    end if;
    if products is not null and exists (select from shop.watch w where w.disabled_at is null) then
        perform shop_private.watch_note(serving_id, products);
    end if;
    return null;
end $$;

create or replace trigger product_image_deleted after delete on shop.product_image
referencing old table as old_images for each statement execute function shop_private.product_images_deleted();
