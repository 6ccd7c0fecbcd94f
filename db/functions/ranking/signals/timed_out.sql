-- Tells whether the statement has run for longer than statement_timeout. Then a cancelled query was cancelled by this
-- limit and not by a person. The limit cancels a statement once, so nothing else ends the statement after that.
create or replace function shop_private.timed_out()
returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(clock_timestamp() - statement_timestamp()
        >= nullif(current_setting('statement_timeout')::interval, interval '0'), false)
$$;
