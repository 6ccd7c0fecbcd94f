-- A new title or picture is encoded, a changed one again, whichever way it came or changed; no other column ever is.
-- Rows are inserted and deleted by the thousand, so those triggers run once a statement.
create or replace function shop_private.products_inserted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into shop_private.work (product_id, model_id, part)
    select n.product_id, m.model_id, 'title'
    from new_products n, shop.model m where m.status in ('building', 'serving');
    return null;
end $$;

create or replace function shop_private.product_images_inserted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into shop_private.work (product_id, model_id, part, position)
    select n.product_id, m.model_id, 'image', n.position
    from new_images n, shop.model m where m.status in ('building', 'serving')
    on conflict (product_id, model_id, part, position) do update  -- a truncated table leaves its work behind
    set state = 'pending', solo = 0, attempts = 0, due_at = excluded.due_at, worker_id = null, error = null;
    return null;
end $$;

create or replace function shop_private.product_images_deleted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from shop_private.work w using old_images o
    where w.product_id = o.product_id and w.part = 'image' and w.position = o.position;
    return null;
end $$;

create or replace function shop_private.product_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform shop_private.work_enqueue(new.product_id, 'title', 0::smallint);
    return null;
end $$;

create or replace function shop_private.product_image_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform shop_private.work_enqueue(new.product_id, 'image', new.position);
    return null;
end $$;

create or replace trigger product_inserted after insert on shop.product
referencing new table as new_products for each statement execute function shop_private.products_inserted();

create or replace trigger product_title_changed after update of title on shop.product
for each row when (old.title is distinct from new.title) execute function shop_private.product_changed();

create or replace trigger product_image_inserted after insert on shop.product_image
referencing new table as new_images for each statement execute function shop_private.product_images_inserted();

create or replace trigger product_image_replaced after update of uri, image_root_id on shop.product_image
for each row when ((old.uri, old.image_root_id) is distinct from (new.uri, new.image_root_id))
execute function shop_private.product_image_changed();

create or replace trigger product_image_deleted after delete on shop.product_image
referencing old table as old_images for each statement execute function shop_private.product_images_deleted();
