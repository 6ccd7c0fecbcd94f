-- Tells whether the statement has run for at least statement_timeout. If it has, a caller assumes that this limit, and
-- not a person, cancelled a query. PostgreSQL cancels a statement for this limit only once, so a caller that catches
-- the error can go on.
create or replace function shop_private.timed_out()
returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(clock_timestamp() - statement_timestamp()
        >= nullif(current_setting('statement_timeout')::interval, interval '0'), false)
$$;
