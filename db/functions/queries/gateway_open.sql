-- Opens the connection of this session to the gateway, or keeps the open connection if it still works.
create or replace function shop_private.gateway_open()
returns void
language plpgsql volatile parallel restricted as $$
declare
    connection constant text := 'shop_gateway';
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
end $$;
