-- Refuses an INSERT after which shop.synonym has more than @synonym_max_rows@ rows. A row takes more than 100 bytes, so
-- the rows of a table of at most @synonym_max_rows@ x 100 bytes need not be counted.
create or replace function shop_private.synonyms_counted() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if pg_relation_size('shop.synonym'::regclass) > 100 * @synonym_max_rows@
        and (select count(*) from shop.synonym) > @synonym_max_rows@
    then
        raise exception using errcode = '54000', message = 'a site has at most @synonym_max_rows@ synonyms',
            hint = 'Delete synonyms that no query uses.';
    end if;
    return null;
end $$;

create or replace trigger synonyms_counted after insert on shop.synonym
for each statement execute function shop_private.synonyms_counted();
