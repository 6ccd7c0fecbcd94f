-- Returns the trace contexts of those requests in p_ids that have one (see db/tracing.py). An encoder that records
-- traces adds the span of its batch to these traces.
create or replace function shop_private.request_traces(p_ids bigint[])
returns setof text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select r.trace from shop_private.request r where r.id = any (p_ids) and r.trace is not null
$$;
