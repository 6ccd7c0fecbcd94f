-- Tells whether the statement has run for at least statement_timeout. If it has, a caller assumes that this limit, and
-- not a person, cancelled a query. The limit cancels a statement once, so it does not end the statement later.
create or replace function shop_private.timed_out()
returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(clock_timestamp() - statement_timestamp()
        >= nullif(current_setting('statement_timeout')::interval, interval '0'), false)
$$;
