-- Leases to worker p_worker at most p_limit images that must be fetched, and returns these images. p_busy counts, for
-- each host, the images that the worker already holds. From a host that answers, the worker gets images until it holds
-- p_per_host images of that host. From a host that has not answered yet, or whose last recorded fetch failed, all
-- workers together get one image. The workers get no other image of this host until p_seconds have passed or the result
-- of this fetch is recorded. A host that does not answer therefore occupies only one connection. There is one
-- exception: of a host that was never tried, each of several claims at the same moment can get an image. No image of a
-- paused host is claimed.
--
-- The function finds each host with one index probe, so millions of images of one host do not slow a claim down. If
-- more than 1,000 hosts have pending images, a claim considers 1,000 of them, so that its time is limited. These follow
-- each other in the order of their names; after the last name comes the first name. The order usually begins with the
-- host of an image near a random place of the work list, so that later claims reach the other hosts.
create or replace function shop_private.fetch_claim(
    p_worker uuid, p_model_id smallint, p_limit integer, p_per_host integer, p_busy jsonb, p_seconds double precision
) returns table (
    product_id uuid, "position" smallint, attempts smallint, batch_limit smallint, uri text, host text, answers boolean
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    max_hosts constant integer := 1000;
    place constant uuid := gen_random_uuid();  -- keys are hashes, so a random place among the keys is a random product
    start text;
begin
    select near.host into start
    from (select w.host, w.model_id, w.state from shop_private.work w
          where w.product_id >= place order by w.product_id limit 1000) near
    where near.host is not null and near.model_id = p_model_id and near.state = 'pending' limit 1;
    start := coalesce(start, '');

    return query
    with recursive later(host, number) as (  -- the hosts from `start` on
        (select w.host, 1 from shop_private.work w
         where w.model_id = p_model_id and w.state = 'pending' and w.host is not null and w.host >= start
         order by w.host limit 1)
        union all
        select n.host, l.number + 1
        from later l cross join lateral (
            select w.host from shop_private.work w
            where w.model_id = p_model_id and w.state = 'pending' and w.host is not null and w.host > l.host
            order by w.host limit 1) n
        where l.number < max_hosts
    ), earlier(host, number) as (  -- the hosts before `start`, until there are max_hosts in all
        (select w.host, 1 + (select count(*) from later) from shop_private.work w
         where w.model_id = p_model_id and w.state = 'pending' and w.host is not null and w.host < start
           and (select count(*) from later) < max_hosts
         order by w.host limit 1)
        union all
        select n.host, e.number + 1
        from earlier e cross join lateral (
            select w.host from shop_private.work w
            where w.model_id = p_model_id and w.state = 'pending' and w.host is not null and w.host > e.host
              and w.host < start
            order by w.host limit 1) n
        where e.number < max_hosts
    ), hosts as (
        select l.host from later l union all select e.host from earlier e
    ), silent as materialized (  -- hosts that do not answer, and that no other session changes at this moment
        select f.host from hosts h join shop_private.fetch_host f using (host)
        where (f.answered_at is null or f.failures > 0)
          and coalesce(greatest(f.paused_until, f.probed_until) <= clock_timestamp(), true)
        for update of f skip locked
    ), open as materialized (
        select h.host, coalesce(f.answered_at is not null and f.failures = 0, false) as answers,
            coalesce((p_busy ->> h.host)::integer, 0) as busy
        from hosts h left join shop_private.fetch_host f using (host)
        where f.host is null or h.host in (select s.host from silent s)
           or f.failures = 0 and f.answered_at is not null
              and coalesce(greatest(f.paused_until, f.probed_until) <= clock_timestamp(), true)
    ), due as materialized (
        select w.item, o.host, o.answers
        from (select * from open order by answers desc, busy, random()) o
        cross join lateral (
            select w.ctid as item from shop_private.work w
            where w.model_id = p_model_id and w.host = o.host and w.state = 'pending'
              and w.due_at <= clock_timestamp()
            order by w.due_at limit greatest(case when o.answers then p_per_host else 1 end - o.busy, 0)
            for update skip locked) w
        limit p_limit
    ), probed as (
        insert into shop_private.fetch_host as f (host, probed_until)
        select d.host, clock_timestamp() + make_interval(secs => p_seconds)
        from due d where not d.answers order by d.host
        on conflict (host) do update set probed_until = excluded.probed_until
    ), mine as (
        update shop_private.work w set state = 'leased', worker_id = p_worker, batch_size = null
        from due d where w.ctid = d.item
        returning w.product_id, w.position, w.attempts, w.batch_limit, d.host, d.answers
    )
    select m.product_id, m.position, m.attempts, m.batch_limit, i.uri, m.host, m.answers
    from mine m left join shop.product_image i using (product_id, position);
end $$;
