-- Enqueues new images, whichever session inserted their rows. Like products_inserted, the trigger runs once for each
-- statement.
create or replace function shop_private.product_images_inserted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into shop_private.work (product_id, model_id, part, position, host)
    select n.product_id, m.model_id, 'image', n.position, shop_private.image_host(n.image_root_id, n.uri)
    from new_images n, shop.model m where m.status in ('building', 'serving')
    -- A TRUNCATE of the images does not delete their work items. Such an item starts over.
    on conflict (product_id, model_id, part, position) do update
    set state = 'pending', batch_limit = null, batch_size = null, attempts = 0, fetch_failures = 0,
        due_at = excluded.due_at, worker_id = null, error = null, host = excluded.host;
    return null;
end $$;

create or replace trigger product_image_inserted after insert on shop.product_image
referencing new table as new_images for each statement execute function shop_private.product_images_inserted();
