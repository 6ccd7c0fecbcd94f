-- Enqueues an image that replaced another image.
create or replace function shop_private.product_image_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform shop_private.work_enqueue(new.product_id, 'image', new.position);
    return null;
end $$;

create or replace trigger product_image_replaced after update of uri, image_root_id on shop.product_image
for each row when ((old.uri, old.image_root_id) is distinct from (new.uri, new.image_root_id))
execute function shop_private.product_image_changed();
