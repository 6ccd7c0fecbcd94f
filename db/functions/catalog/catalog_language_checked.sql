-- Raises an error if the language of a new or changed catalog is no text search configuration of PostgreSQL. Loads,
-- searches and upgrades would otherwise fail wherever they use the language.
create or replace function shop_private.catalog_language_checked() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (
        select from pg_ts_config where cfgname = new.language and cfgnamespace = 'pg_catalog'::regnamespace
    ) then
        raise exception using errcode = '22023', message = format('there is no language %L', new.language),
            hint = (select 'The languages are: ' || string_agg(cfgname, ', ' order by cfgname) from pg_ts_config
                    where cfgnamespace = 'pg_catalog'::regnamespace);
    end if;
    return new;
end $$;

create or replace trigger catalog_language_checked before insert or update of language on shop.catalog
for each row execute function shop_private.catalog_language_checked();
