-- Requests the vector of a query from the gateway, over a loopback connection of this session. The connection is opened
-- at the first query that is not in the cache. The function sends the call and fetches its result in separate steps, so
-- that a cancel or a statement_timeout takes effect while the call runs.
create or replace function shop_private.gateway_fetch(p_model_id smallint, p_kind text, p_payload bytea)
returns @vector@.halfvec
language plpgsql volatile parallel restricted as $$
declare
    connection constant text := 'shop_gateway';
    timeout_ms constant integer :=
        greatest(coalesce(nullif(current_setting('shop.timeout_ms', true), '')::integer, 5000), 1);
    vector @vector@.halfvec;
    code text;
    err text;
begin
    if not coalesce(connection = any (@dblink@.dblink_get_connections()), false)
        and shop_private.gateway_is_elsewhere() then
        raise exception using errcode = 'WS004',
            message = 'this database is a copy, and its gateway leads to the original',
            hint = 'An administrator must run "windowshop db upgrade" or "windowshop db adopt" in the copy.';
    end if;
    begin
        if connection = any (@dblink@.dblink_get_connections()) then
            -- dblink_is_busy is called twice, because only the second call notices a socket that the server has closed.
            if @dblink@.dblink_is_busy(connection) = 1 or @dblink@.dblink_is_busy(connection) = 1
                or @dblink@.dblink_error_message(connection) <> 'OK' then
                perform @dblink@.dblink_disconnect(connection);
                perform shop_private.gateway_connect(connection);
            end if;
        else
            perform shop_private.gateway_connect(connection);
        end if;
    exception when sqlclient_unable_to_establish_sqlconnection then
        get stacked diagnostics err = pg_exception_detail;
        if err ~ 'too many connections' then
            raise exception using errcode = 'WS004', message = 'the gateway has no free connection: '
                    'too many sessions are encoding new queries at the same time',
                hint = 'Try again, use fewer sessions, or raise the connection limit of the gateway role.';
        end if;
        raise exception using errcode = 'WS004', message = 'the gateway cannot reach the database server',
            hint = 'An operator must run "windowshop db upgrade" with the right WINDOWSHOP_GATEWAY_HOST and '
                'WINDOWSHOP_GATEWAY_PORT.';
    end;
    perform @dblink@.dblink_send_query(connection, format(
        'call shop_private.gateway_encode(%s::smallint, %L, %L::bytea, %s)',
        p_model_id, p_kind, p_payload, timeout_ms));
    select r.vector, r.code, r.err into vector, code, err
    from @dblink@.dblink_get_result(connection) as r(vector @vector@.halfvec, code text, err text);
    perform from @dblink@.dblink_get_result(connection)  -- the connection is free only after a second, empty result
        as r(vector @vector@.halfvec, code text, err text);
    if err is not null then
        raise exception using errcode = code, message = err, hint = case code
            when 'WS001' then 'Start an encoder with "windowshop encode", or all processes with "windowshop up".'
            when 'WS002' then 'The encoder is busy or hung. Raise the limit with SET shop.timeout_ms.'
            when 'WS003' then 'Correct the query.'
            else 'Try again in a moment.' end;
    end if;
    return vector;
end $$;
