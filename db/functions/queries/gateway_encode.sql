-- The gateway's one procedure: file a request, wake an encoder, wait for the vector. It commits on its way, which a
-- definer routine cannot (nor one with a SET clause), so it runs with the gateway role's own few rights and search_path.
--
-- Waiting costs no polling while an encoder works: the encoder holds an advisory lock on the request, and the
-- procedure queues up behind it. The locks are explained in db/locks.py.
create or replace procedure shop_private.gateway_encode(
    p_model_id smallint, p_kind text, p_payload bytea, p_timeout_ms integer,
    inout v @vector@.halfvec default null, inout code text default null, inout err text default null
)
language plpgsql as $$
declare
    t0 constant timestamptz := clock_timestamp();
    k constant bytea := sha256(convert_to(p_kind, 'UTF8') || p_payload);
    waiting constant integer := 1000;  -- requests that may wait at once
    rid bigint;
    nap integer := 1;
    left_ms integer;
    t1 timestamptz;
    waited boolean;
begin
    select e.embedding into v from shop_private.query_embedding e where e.model_id = p_model_id and e.key = k;
    if found then return; end if;
    if (select count(*) from (select from shop_private.request limit waiting) r) >= waiting then
        code := 'WS004'; err := format('%s queries are waiting to be encoded already', waiting);
        return;
    end if;
    insert into shop_private.request (model_id, key, kind, payload) values (p_model_id, k, p_kind, p_payload)
    returning id into rid;
    perform pg_notify('shop_request', '');
    commit;
    loop
        t1 := clock_timestamp();
        left_ms := p_timeout_ms - 1000 * extract(epoch from t1 - t0);
        if left_ms > 0 then
            begin
                perform set_config('lock_timeout', left_ms::text, true);
                perform pg_advisory_xact_lock_shared(@lock_request_claimed@, (rid & 2147483647)::integer);
            exception when lock_not_available then
                left_ms := 0;
            end;
            commit;
        end if;
        waited := clock_timestamp() - t1 > interval '1 ms';
        select e.embedding into v from shop_private.query_embedding e where e.model_id = p_model_id and e.key = k;
        exit when found;
        select r.error into err from shop_private.request r where r.id = rid;
        if err is not null then code := 'WS003'; exit; end if;
        if left_ms <= 0 then
            code := 'WS002'; err := format('the encoder did not answer within %s ms', p_timeout_ms);
            exit;
        end if;
        if waited then  -- the encoder went away with the request in hand: wake another
            perform pg_notify('shop_request', '');
            commit;
        end if;
        if clock_timestamp() - t0 > interval '500 ms' and pg_try_advisory_xact_lock(@lock_encoder_alive@, p_model_id) then
            code := 'WS001'; err := 'no encoder is connected to this database';
            exit;
        end if;
        perform pg_sleep(nap / 1000.0);
        if clock_timestamp() - t0 > interval '20 ms' then nap := least(nap * 2, 20); end if;
    end loop;
    if err is not null then  -- unless an encoder has it in hand: then it is answered into the cache
        delete from shop_private.request where id in (
            select id from shop_private.request where id = rid for update skip locked);
    end if;
end $$;
