-- Returns the present day of UTC, the salt of this day, and the seconds until the day ends. The page names a visitor by
-- a hash with this salt. The first call of a day makes a random salt. Each call deletes the salts of earlier days.
create or replace function shop_private.salt_of_day(out today date, out random bytea, out seconds double precision)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    now constant timestamp := clock_timestamp() at time zone 'UTC';
begin
    today := now::date;
    seconds := extract(epoch from (today + 1) - now);
    perform shop_private.delete_old_salts();
    insert into shop_private.visitor_salt (day, salt)
    values (today, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    on conflict do nothing;
    select s.salt into random from shop_private.visitor_salt s where s.day = today;
end $$;
