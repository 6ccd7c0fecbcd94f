-- Sets the language of a new product to the language of its catalog. If the catalog is not stored yet, stores the
-- catalog with the product's language.
create or replace function shop_private.product_catalog() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    known text;
begin
    select c.language into known from shop.catalog c where c.catalog = new.catalog;
    if found then
        new.language := known;
    else
        insert into shop.catalog (catalog, language) values (new.catalog, new.language) on conflict do nothing;
    end if;
    return new;
end $$;

create or replace trigger product_catalog before insert on shop.product
for each row execute function shop_private.product_catalog();
