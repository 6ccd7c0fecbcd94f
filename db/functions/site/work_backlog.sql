-- Returns what the models p_models still have to encode. oldest_seconds tells for how many seconds the longest-waiting
-- pending item has been due, or is 0 if no item is due. Images of a paused host do not count for oldest_seconds.
-- waiting counts the items that are pending or leased, and quarantined counts the quarantined items. Each count stops
-- at 10,000.
create or replace function shop_private.work_backlog(p_models smallint[])
returns table (oldest_seconds double precision, waiting bigint, quarantined bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    with recursive hosts(model_id, host) as (
        (select w.model_id, w.host from shop_private.work w
         where w.state = 'pending' and w.host is not null order by 1, 2 limit 1)
        union all
        select n.model_id, n.host
        from hosts h cross join lateral (
            select w.model_id, w.host from shop_private.work w
            where w.state = 'pending' and w.host is not null and (w.model_id, w.host) > (h.model_id, h.host)
            order by 1, 2 limit 1) n
    ), due(at) as (
        select o.due_at
        from unnest(p_models) m cross join unnest(enum_range(null::shop_private.part)) p cross join lateral (
            select w.due_at from shop_private.work w
            where w.model_id = m and w.part = p and w.state = 'pending' and w.host is null and w.batch_limit is null
            order by w.due_at limit 1) o
        union all
        select min(w.due_at) from shop_private.work w
        where w.model_id = any (p_models) and w.state = 'pending' and w.host is null and w.batch_limit is not null
        union all
        select o.due_at
        from hosts h left join shop_private.fetch_host f using (host) cross join lateral (
            select w.due_at from shop_private.work w
            where w.model_id = h.model_id and w.host = h.host and w.state = 'pending' order by w.due_at limit 1) o
        where h.model_id = any (p_models) and coalesce(f.paused_until <= clock_timestamp(), true)
    )
    select coalesce((select greatest(extract(epoch from clock_timestamp() - min(d.at)), 0) from due d), 0),
        (select count(*) from (select from shop_private.work w where w.model_id = any (p_models)
            and w.state <> 'quarantined' limit 10000) w),
        (select count(*) from (select from shop_private.work w where w.model_id = any (p_models)
            and w.state = 'quarantined' limit 10000) w)
$$;
