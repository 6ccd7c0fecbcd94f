-- Moves the vectors of a product to its new labels when any session changes a field that can be a label. The catalog of
-- a product never changes, because its key is computed from the catalog.
create or replace function shop_private.product_labels_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    model smallint;
begin
    for model in select distinct l.model_id from shop.label_index l loop
        perform shop_private.label_store(model, 'image', array[new.product_id]);
        perform shop_private.label_store(model, 'title', array[new.product_id]);
    end loop;
    return null;
end $$;

create or replace trigger product_labels_changed
after update of product_type, brand, attributes on shop.product
for each row when (((old.product_type is distinct from new.product_type) or (old.brand is distinct from new.brand)
    or (old.attributes is distinct from new.attributes)))
execute function shop_private.product_labels_changed();
