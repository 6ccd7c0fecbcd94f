-- Records that an image could not be fetched for now. If p_answered is true, the host answered that it is busy or
-- broken; otherwise, the host did not answer. Returns whether the host is paused now. Until the pause is over, no
-- worker fetches images from the host.
--
-- The function works as a circuit breaker. A host is paused after three failures in a row, or after the first failure
-- if the host has never answered. The pause doubles with each further failure, up to a limit. If the host asks for a
-- pause (p_retry_seconds), the host is paused for that time, at most an hour. Each image has a pause of its own, too.
-- This pause grows to an hour, and the image is tried again for about a day. If the fetches from a host have failed for
-- a day, each further failure quarantines its image. It also quarantines up to 10,000 images of the host that have been
-- due for a day.
create or replace function shop_private.fetch_failed(
    p_worker uuid, p_model_id smallint, p_product uuid, p_position smallint, p_host text, p_error text,
    p_answered boolean, p_retry_seconds double precision
) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    at constant timestamptz := clock_timestamp();
    -- Seconds of the first pause, and of the longest pause of a host. A host that answers is tried again sooner, so
    -- that one broken image does not delay the other images of its host.
    first_pause constant double precision := case when p_answered then 2 else 30 end;
    longest_pause constant double precision := case when p_answered then 60 else 600 end;
    asked constant double precision := least(p_retry_seconds, 3600);  -- a number near 1e308 would overflow below
    known shop_private.fetch_host;
    pauses integer;
    failed_for_a_day boolean;
    others tid[];
    products uuid[];
begin
    insert into shop_private.fetch_host (host) values (p_host) on conflict do nothing;
    select * into known from shop_private.fetch_host f where f.host = p_host for update;
    if coalesce(known.paused_until <= at, true) then  -- a fetch that began before a pause may fail during it
        known.failures := known.failures + 1;
    end if;
    pauses := known.failures - case when known.answered_at is null then 0 else 2 end;
    if asked > 0 then
        known.paused_until := greatest(known.paused_until, at + make_interval(secs => asked));
    end if;
    if pauses > 0 and coalesce(known.paused_until <= at, true) then
        known.paused_until := at
            + make_interval(secs => least(first_pause * 2 ^ least(pauses - 1, 20), longest_pause));
    end if;
    update shop_private.fetch_host f
    set failures = known.failures, failing_since = coalesce(f.failing_since, at), probed_until = null,
        paused_until = known.paused_until, error = left(p_error, 1000)
    where f.host = p_host
    returning f.failing_since < at - interval '1 day' into failed_for_a_day;

    -- After a day of failures, each further failure quarantines only a part of the host's images, because a host can
    -- have millions.
    if failed_for_a_day then
        select array_agg(o.ctid), array_agg(o.product_id) into others, products
        from (select w.ctid, w.product_id from shop_private.work w
              where w.model_id = p_model_id and w.host = p_host and w.state = 'pending'
                and w.due_at < at - interval '1 day'
              order by w.due_at limit 10000 for update skip locked) o;
        if exists (select from shop_private.webhook w where w.disabled_at is null) then
            -- All products are noted in one call, so that the notes are locked in the order that all transactions use.
            perform shop_private.webhook_note('quarantined', p_model_id, products || p_product);
        end if;
    end if;
    update shop_private.work w
    set state = case when failed_for_a_day or w.fetch_failures + 1 >= @fetch_attempts@ then 'quarantined' else 'pending'
                end::shop_private.work_state,
        fetch_failures = w.fetch_failures + 1, batch_size = null, worker_id = null, error = left(p_error, 1000),
        due_at = at + make_interval(
            secs => least(greatest(first_pause, asked) * 2 ^ least(w.fetch_failures, 20), 3600)
                * (0.9 + 0.2 * random()))
    where w.product_id = p_product and w.model_id = p_model_id and w.part = 'image' and w.position = p_position
      and w.state = 'leased' and w.worker_id = p_worker;
    if failed_for_a_day then
        update shop_private.work w
        set state = 'quarantined', error = left(p_error, 1000)
        where w.ctid = any (others);
    end if;
    return coalesce(known.paused_until > at, false);
end $$;
