-- Gives new products their language: that of their attribute content_language, or else that of their catalog. If a
-- catalog is not stored yet, stores the catalog with the language of one of its new products. The trigger runs once for
-- each statement, because a load inserts thousands of products in one statement.
create or replace function shop_private.product_catalog() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into shop.catalog (catalog, language)
    select distinct on (i.catalog) i.catalog, i.language from inserted i
    where not exists (select from shop.catalog c where c.catalog = i.catalog)
    order by i.catalog, i.language
    on conflict do nothing;

    update shop.product p set language = n.language
    from (
        select i.product_id, coalesce(l.language, c.language) as language
        from inserted i
        join shop.catalog c on c.catalog = i.catalog
        left join (
            select g.given, shop_private.text_language(g.given) as language
            from (select distinct i.attributes ->> 'content_language' as given from inserted i) g) l
            on l.given = i.attributes ->> 'content_language'
        where i.language <> coalesce(l.language, c.language)) n
    where p.product_id = n.product_id;
    return null;
end $$;

create or replace trigger product_catalog after insert on shop.product
referencing new table as inserted for each statement execute function shop_private.product_catalog();
