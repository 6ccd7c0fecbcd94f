-- Returns the state of encoding for the serving model. `encoder` tells whether an encoder is connected. waiting_queries
-- counts the queries without an answer. waiting_items counts the items that are not encoded yet, pending or leased.
-- quarantined_items counts the quarantined items. Each count stops at 10,000. Call the function on the primary, because
-- a standby does not see the advisory lock of a connected encoder.
create or replace function shop_private.encoder_state()
returns table (model text, encoder boolean, waiting_queries bigint, waiting_items bigint, quarantined_items bigint)
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select m.name,
        exists (select from pg_locks l where l.locktype = 'advisory' and l.classid = @lock_encoder_alive@
            and l.objid = m.model_id and l.granted
            and l.database = (select d.oid from pg_database d where d.datname = current_database())),
        (select count(*) from (select from shop_private.request limit 10000) r),
        (select count(*) from (select from shop_private.work w where w.model_id = m.model_id
            and w.state <> 'quarantined' limit 10000) w),
        (select count(*) from (select from shop_private.work w where w.model_id = m.model_id
            and w.state = 'quarantined' limit 10000) w)
    from shop.model m where m.status = 'serving'
$$;
