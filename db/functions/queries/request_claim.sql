-- Claims at most p_limit requests for the models p_models, oldest first, and returns these requests. Requests for the
-- serving model come before all others. waited_seconds tells for how long a request has waited. The caller's
-- transaction holds the row lock of each request, and gateway_encode waits for this lock. The encoder keeps the
-- transaction open while it computes the vectors. If the encoder dies, its transaction ends, and all its requests are
-- free immediately.
create or replace function shop_private.request_claim(p_models smallint[], p_limit integer)
returns table (id bigint, model_id smallint, key bytea, kind text, payload bytea, waited_seconds double precision)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    select r.id, r.model_id, r.key, r.kind, r.payload,
        extract(epoch from clock_timestamp() - r.created_at)::double precision
    from shop_private.request r
    where r.model_id = any (p_models) and r.error is null
    order by r.model_id is distinct from (select m.model_id from shop.model m where m.status = 'serving'), r.id
    limit p_limit for update skip locked;
end $$;
