-- Queues a request for the vector of a query, wakes an encoder and waits for the vector. If the vector is in the cache,
-- nothing is queued. p_kind is 't' (text) or 'i' (image). On failure, `vector` is null, `code` is a SQLSTATE and `err`
-- is the message.
--
-- This is the only procedure of the gateway. After it has queued a request, it commits several times. A SECURITY
-- DEFINER routine cannot commit, and neither can a routine with a SET clause. The procedure therefore runs with the few
-- rights and the search_path of the gateway role.
--
-- The procedure does not poll while an encoder works on the request. Instead, the encoder holds a lock on the request's
-- row, and the procedure waits for that lock. An advisory lock could not serve here, because every role may take it.
-- xmax is the transaction that locked the row last. The procedure locks the row only if xmax shows that an encoder has
-- claimed the request. Otherwise the lock of the procedure could make an encoder skip the request.
create or replace procedure shop_private.gateway_encode(
    p_model_id smallint, p_kind text, p_payload bytea, p_timeout_ms integer,
    inout vector @vector@.halfvec default null, inout code text default null, inout err text default null,
    p_trace text default null
)
language plpgsql as $$
declare
    began constant timestamptz := clock_timestamp();
    cache_key constant bytea := sha256(convert_to(p_kind, 'UTF8') || p_payload);
    request_id bigint;
    pause_ms integer := 1;
    left_ms integer;
    claim xid;
    own_lock xid := '0';
    wait_began timestamptz;
    alive_at timestamptz;  -- when an encoder was last seen
    waited boolean;
begin
    select e.embedding into vector
    from shop_private.query_embedding e where e.model_id = p_model_id and e.key = cache_key;
    if found then return; end if;
    if (select count(*) from (select from shop_private.request limit @gateway_max_requests@) r)
        >= @gateway_max_requests@ then
        code := 'WS004'; err := '@gateway_max_requests@ queries already wait for an encoder';
        return;
    end if;
    insert into shop_private.request (model_id, key, kind, payload, trace)
    values (p_model_id, cache_key, p_kind, p_payload, p_trace) returning id into request_id;
    perform pg_notify('shop_request', '');
    commit;
    loop
        wait_began := clock_timestamp();
        left_ms := p_timeout_ms - 1000 * extract(epoch from wait_began - began);
        select r.xmax into claim from shop_private.request r where r.id = request_id;
        if left_ms > 0 and claim <> own_lock then
            begin
                perform set_config('lock_timeout', left_ms::text, true);
                perform from shop_private.request r where r.id = request_id for key share;
                select r.xmax into own_lock from shop_private.request r where r.id = request_id;
            exception
                when lock_not_available then left_ms := 0;
                when serialization_failure then null;  -- the encoder deleted or refused the request: see below
            end;
        end if;
        commit;
        waited := clock_timestamp() - wait_began > interval '1 ms';
        select e.embedding into vector
        from shop_private.query_embedding e where e.model_id = p_model_id and e.key = cache_key;
        exit when found;
        select r.error into err from shop_private.request r where r.id = request_id;
        if err is not null then code := 'WS003'; exit; end if;
        if left_ms <= 0 then
            code := 'WS002'; err := format('the encoder did not answer within %s ms', p_timeout_ms);
            exit;
        end if;
        if waited then  -- the encoder released the request without an answer, so another encoder is woken
            perform pg_notify('shop_request', '');
            commit;
        end if;
        if clock_timestamp() - began > interval '500 ms' then
            if shop_private.encoder_alive(p_model_id) then
                alive_at := clock_timestamp();
            elsif alive_at is null and shop_private.encoder_reported(p_model_id) then
                alive_at := began;
            elsif alive_at is null or clock_timestamp() - alive_at > interval '2 s' then
                -- an encoder that lost its connection has had 2 seconds to connect again
                code := 'WS001'; err := 'no encoder is connected to this database';
                exit;
            end if;
        end if;
        perform pg_sleep(pause_ms / 1000.0);
        if clock_timestamp() - began > interval '20 ms' then pause_ms := least(pause_ms * 2, 20); end if;
    end loop;
    if err is not null then
        -- After an error, the request is deleted, unless an encoder has locked the request's row (skip locked). Such an
        -- encoder is still computing the vector and will store the vector in the cache.
        delete from shop_private.request where id in (
            select id from shop_private.request where id = request_id for update skip locked);
    end if;
end $$;
