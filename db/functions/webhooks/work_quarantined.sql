-- Notes the product of a quarantined item for webhooks. A product can become searchable when its last waiting item is
-- quarantined, so the product is also noted for watches.
create or replace function shop_private.work_quarantined() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if exists (select from shop_private.webhook w where w.disabled_at is null) then
        perform shop_private.webhook_note('quarantined', new.model_id, array[new.product_id]);
    end if;
    if exists (select from shop.watch w where w.disabled_at is null) then
        perform shop_private.watch_note(new.model_id, array[new.product_id]);
    end if;
    return null;
end $$;

create or replace trigger work_quarantined after update of state on shop_private.work
for each row when (((new.state = 'quarantined'::shop_private.work_state)
    and (old.state <> 'quarantined'::shop_private.work_state)))
execute function shop_private.work_quarantined();
