-- Enqueues an image that has replaced another image at the same position, and an image whose file has changed under the
-- same name. For a changed file, the load has set sha256 to null. If the file was missing before (the old file_version
-- is null), the trigger only makes the quarantined work items of the image pending again.
create or replace function shop_private.product_image_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (old.uri, old.image_root_id) is distinct from (new.uri, new.image_root_id) or old.file_version is not null then
        perform shop_private.work_enqueue(new.product_id, 'image', new.position);
    else
        update shop_private.work w
        set state = 'pending', batch_limit = null, attempts = 0, due_at = clock_timestamp(), error = null
        where w.product_id = new.product_id and w.part = 'image' and w.position = new.position
          and w.state = 'quarantined';
    end if;
    return null;
end $$;

create or replace trigger product_image_replaced after update of uri, image_root_id, file_version
on shop.product_image
for each row when (((old.uri is distinct from new.uri) or (old.image_root_id is distinct from new.image_root_id)
    or ((old.file_version is distinct from new.file_version) and (new.sha256 is null))))
execute function shop_private.product_image_changed();
