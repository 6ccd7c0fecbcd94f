-- Requests the vector of a query from the gateway, over a loopback connection of this session. The function sends the
-- call and fetches its result in separate steps, so that a cancel or a statement_timeout takes effect while the call
-- runs. If the connection is lost meanwhile, the error is WS004, so that a search can go on without the vector.
create or replace function shop_private.gateway_fetch(p_model_id smallint, p_kind text, p_payload bytea)
returns @vector@.halfvec
language plpgsql volatile parallel restricted as $$
declare
    connection constant text := 'shop_gateway';
    timeout_ms constant integer :=
        greatest(coalesce(nullif(current_setting('shop.timeout_ms', true), '')::integer, 5000), 1);
    -- A traceparent (W3C Trace Context) of the session, which any SQL client may set. See db/tracing.py.
    trace constant text := substring(
        current_setting('shop.traceparent', true) from '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$');
    vector @vector@.halfvec;
    code text;
    err text;
begin
    perform shop_private.gateway_open();
    begin
        perform @dblink@.dblink_send_query(connection, format(
            'call shop_private.gateway_encode(%s::smallint, %L, %L::bytea, %s, p_trace => %L)',
            p_model_id, p_kind, p_payload, timeout_ms, trace));
        select r.vector, r.code, r.err into vector, code, err
        from @dblink@.dblink_get_result(connection) as r(vector @vector@.halfvec, code text, err text);
        perform from @dblink@.dblink_get_result(connection)  -- the connection is free only after a second, empty result
            as r(vector @vector@.halfvec, code text, err text);
    exception when connection_exception or admin_shutdown or crash_shutdown then null;
    end;
    if num_nonnulls(vector, err) = 0 then  -- a call that could not be sent has no result and raises no error
        code := 'WS004';
        err := 'the database server closed the connection of the gateway';
    end if;
    if err is not null then
        raise exception using errcode = code, message = err, hint = case code
            when 'WS001' then 'Start an encoder with "windowshop encode", or all processes with "windowshop up".'
            when 'WS002' then 'Try again in a moment, because the encoder or the machine may be busy. '
                'In SQL, SET shop.timeout_ms allows more time.'
            when 'WS003' then 'Correct the query.'
            else 'Try again in a moment.' end;
    end if;
    return vector;
end $$;
