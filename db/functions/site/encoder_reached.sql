-- Returns the result of encoder_state on the server to which the gateway leads, which is the primary. A search with a
-- new query waits for an encoder of that server, also on a standby and after a failover. Raises WS004 if the gateway
-- cannot be used.
create or replace function shop_private.encoder_reached()
returns table (model text, encoder boolean, waiting_queries bigint, waiting_items bigint, quarantined_items bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    connection constant text := 'shop_gateway';
begin
    perform shop_private.gateway_open();
    perform @dblink@.dblink_send_query(connection, 'select * from shop_private.encoder_state()');
    return query select * from @dblink@.dblink_get_result(connection) as s(
        model text, encoder boolean, waiting_queries bigint, waiting_items bigint, quarantined_items bigint);
    perform from @dblink@.dblink_get_result(connection)  -- the connection is free only after a second, empty result
        as s(model text, encoder boolean, waiting_queries bigint, waiting_items bigint, quarantined_items bigint);
end $$;
