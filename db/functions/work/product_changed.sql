-- Enqueues the title of a product when any session changes the title. No other column of shop.product is encoded.
create or replace function shop_private.product_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform shop_private.work_enqueue(new.product_id, 'title', 0::smallint);
    return null;
end $$;

create or replace trigger product_title_changed after update of title on shop.product
for each row when ((old.title is distinct from new.title)) execute function shop_private.product_changed();
