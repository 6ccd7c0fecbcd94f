-- Tells whether the statement has run for longer than statement_timeout. Then a cancelled query was cancelled by this
-- limit and not by a person.
create or replace function shop_private.timed_out()
returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select extract(epoch from clock_timestamp() - statement_timestamp()) * 1000 >= nullif(s.setting::integer, 0)
    from pg_settings s where s.name = 'statement_timeout'
$$;
