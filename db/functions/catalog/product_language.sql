-- Sets the language of a product again when its attribute content_language changes. For new products, product_catalog
-- sets the language.
create or replace function shop_private.product_language() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.language := coalesce(shop_private.text_language(new.attributes ->> 'content_language'),
        (select c.language from shop.catalog c where c.catalog = new.catalog), new.language);
    return new;
end $$;

create or replace trigger product_language before update of attributes on shop.product
for each row when (((old.attributes -> 'content_language'::text)
    is distinct from (new.attributes -> 'content_language'::text)))
execute function shop_private.product_language();
