-- A changed title or picture is encoded again, whichever way it was changed; no other column ever is.
create or replace function shop_private.product_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform shop_private.work_enqueue(new.product_id, 'title', 0::smallint);
    return null;
end $$;

create or replace function shop_private.product_image_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'DELETE' then
        delete from shop_private.work w
        where w.product_id = old.product_id and w.part = 'image' and w.position = old.position;
    else
        perform shop_private.work_enqueue(new.product_id, 'image', new.position);
    end if;
    return null;
end $$;

create or replace trigger product_inserted after insert on shop.product
for each row execute function shop_private.product_changed();

create or replace trigger product_title_changed after update of title on shop.product
for each row when (old.title is distinct from new.title) execute function shop_private.product_changed();

create or replace trigger product_image_inserted after insert on shop.product_image
for each row execute function shop_private.product_image_changed();

create or replace trigger product_image_replaced after update of uri, image_root_id on shop.product_image
for each row when ((old.uri, old.image_root_id) is distinct from (new.uri, new.image_root_id))
execute function shop_private.product_image_changed();

create or replace trigger product_image_deleted after delete on shop.product_image
for each row execute function shop_private.product_image_changed();
