-- Returns whether the models in p_models have nothing to encode within the next ten seconds. The result is true if no
-- item is leased, no title and no image file is pending, and no image of a host is due within ten seconds. If a host is
-- paused for longer, its images are ignored, because a host that does not answer can delay them for hours.
create or replace function shop_private.work_idle(p_models smallint[]) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    with recursive hosts(model_id, host) as (
        (select w.model_id, w.host from shop_private.work w
         where w.state = 'pending' and w.host is not null and w.model_id = any (p_models)
         order by 1, 2 limit 1)
        union all
        select n.model_id, n.host
        from hosts h cross join lateral (
            select w.model_id, w.host from shop_private.work w
            where w.state = 'pending' and w.host is not null and (w.model_id, w.host) > (h.model_id, h.host)
            order by 1, 2 limit 1) n
    )
    select not exists (
            select from shop_private.work w where w.state = 'leased' and w.model_id = any (p_models))
        and not exists (
            select from shop_private.work w
            where w.state = 'pending' and w.host is null and w.model_id = any (p_models))
        and not exists (
            select from hosts h left join shop_private.fetch_host f using (host)
            where h.model_id = any (p_models)
              and coalesce(f.paused_until <= clock_timestamp() + interval '10 seconds', true)
              and exists (
                select from shop_private.work w
                where w.model_id = h.model_id and w.host = h.host and w.state = 'pending'
                  and w.due_at <= clock_timestamp() + interval '10 seconds'));
$$;
