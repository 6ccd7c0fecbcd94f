-- Gives new products the language of their catalog. If a catalog is not stored yet, stores the catalog with the
-- language of one of its new products. The trigger runs once for each statement, because a load inserts thousands of
-- products in one statement.
create or replace function shop_private.product_catalog() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into shop.catalog (catalog, language)
    select distinct on (i.catalog) i.catalog, i.language from inserted i
    where not exists (select from shop.catalog c where c.catalog = i.catalog)
    order by i.catalog, i.language
    on conflict do nothing;

    update shop.product p set language = c.language
    from inserted i join shop.catalog c on c.catalog = i.catalog
    where i.language <> c.language and p.product_id = i.product_id;
    return null;
end $$;

create or replace trigger product_catalog after insert on shop.product
referencing new table as inserted for each statement execute function shop_private.product_catalog();
