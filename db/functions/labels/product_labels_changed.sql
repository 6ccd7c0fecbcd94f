-- Stores the labelled vectors of a product (see label_store) again when an update adds a label to the product or
-- removes one. The trigger does nothing for other updates. The catalog of a product never changes, because its key is
-- computed from the catalog.
create or replace function shop_private.product_labels_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    model smallint;
begin
    if not exists (select from shop.label_index) then
        return null;
    end if;
    for model in
        select distinct l.model_id
        from (
            (select f.* from shop_private.label_values(old) f except select f.* from shop_private.label_values(new) f)
            union all
            (select f.* from shop_private.label_values(new) f except select f.* from shop_private.label_values(old) f)
        ) c
        join shop.label_index l on l.field = c.field and l.value = c.value
    loop
        perform shop_private.label_store(model, 'image', array[new.product_id]);
        perform shop_private.label_store(model, 'title', array[new.product_id]);
    end loop;
    return null;
end $$;

create or replace trigger product_labels_changed
after update of product_type, brand, color, size, material, attributes on shop.product
for each row when (((old.product_type is distinct from new.product_type) or (old.brand is distinct from new.brand)
    or (old.color is distinct from new.color) or (old.size is distinct from new.size)
    or (old.material is distinct from new.material) or (old.attributes is distinct from new.attributes)))
execute function shop_private.product_labels_changed();
