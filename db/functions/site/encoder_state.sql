-- Returns the state of encoding for the serving model, or no row if no model is serving. `encoder` tells whether an
-- encoder answers queries for this model. waiting_queries counts the requests for vectors of queries, for all models.
-- waiting_items counts the items that are not encoded yet, pending or leased. quarantined_items counts the quarantined
-- items. Each count stops at 10,000. A standby has no rows of the unlogged tables of requests and of connected
-- encoders, so encoder_reached calls this function on the primary.
create or replace function shop_private.encoder_state()
returns table (model text, encoder boolean, waiting_queries bigint, waiting_items bigint, quarantined_items bigint)
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select m.name,
        shop_private.encoder_alive(m.model_id),
        (select count(*) from (select from shop_private.request limit 10000) r),
        (select count(*) from (select from shop_private.work w where w.model_id = m.model_id
            and w.state <> 'quarantined' limit 10000) w),
        (select count(*) from (select from shop_private.work w where w.model_id = m.model_id
            and w.state = 'quarantined' limit 10000) w)
    from shop.model m where m.status = 'serving'
$$;
