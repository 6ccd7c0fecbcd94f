-- Opens the loopback connection of this session. The connection must reach this server itself, unless this server is a
-- replica. If another server answers, this server runs on a copy of the other server's files, such as a restored backup
-- or a snapshot of the disk. The function then closes the connection and raises an error.
create or replace function shop_private.gateway_connect(connection text) returns void
language plpgsql volatile parallel restricted as $$
declare
    started constant text := extract(epoch from pg_catalog.pg_postmaster_start_time())::text;
    reached text;
begin
    perform @dblink@.dblink_connect(connection, 'shop_primary');
    if pg_catalog.pg_is_in_recovery() then return; end if;
    select r.started into reached
    from @dblink@.dblink(connection, 'select extract(epoch from pg_catalog.pg_postmaster_start_time())::text')
        as r(started text);
    if reached <> started then
        perform @dblink@.dblink_disconnect(connection);
        raise exception using errcode = 'WS004',
            message = 'this database is a copy, and its gateway leads to the original',
            hint = 'An administrator must run "windowshop db adopt" in the copy.';
    end if;
end $$;
