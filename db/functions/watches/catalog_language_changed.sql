-- Stems the words of a catalog's watches again when the language of the catalog changes. The function runs with the
-- rights of its owner, because the catalog may have watches that row level security hides from the caller.
create or replace function shop_private.catalog_language_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if new.language <> old.language then
        perform shop_private.watch_compile(new.catalog);
    end if;
    return null;
end $$;

create or replace trigger catalog_language_changed after update of language on shop.catalog
for each row execute function shop_private.catalog_language_changed();
