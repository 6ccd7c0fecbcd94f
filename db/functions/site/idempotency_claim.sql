-- Claims an idempotency key for a request. p_key is the hash of the client and its key, and p_request is the hash of
-- the request. `state` is:
--   new      the key is claimed now: the caller runs the request, and then calls idempotency_end with `claimed`;
--   done     the same request has been answered before: `status` and `answer` are the answer;
--   running  the key was claimed less than two minutes ago, and its request has no answer yet;
--   other    the key was used for another request.
--
-- A key can be claimed again after 24 hours, or earlier if 100,000 newer keys exist. A key without an answer can be
-- claimed again after two minutes, even if its request still runs.
create or replace function shop_private.idempotency_claim(
    p_key bytea, p_request bytea, out state text, out claimed timestamptz, out status smallint, out answer bytea
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    for attempt in 1..2 loop
        -- The key is read first, because an insert uses up a value of idempotency_id even if the key exists.
        select case when i.request <> p_request then 'other' when i.status is null then 'running' else 'done' end,
            i.status, i.answer
        into state, status, answer from shop_private.idempotency i
        where i.key = p_key and i.claimed_at >= clock_timestamp() - interval '24 hours'
            and (i.status is not null or i.claimed_at >= clock_timestamp() - interval '2 minutes');
        if found then
            return;
        end if;
        delete from shop_private.idempotency i where i.idempotency_id in (
            select o.idempotency_id
            from (select * from shop_private.idempotency order by idempotency_id limit 100 for update skip locked) o
            where o.claimed_at < clock_timestamp() - interval '24 hours'
                or o.idempotency_id <= (select max(n.idempotency_id) - 100000 from shop_private.idempotency n));
        insert into shop_private.idempotency as i (key, request) values (p_key, p_request)
        on conflict (key) do update
            set request = excluded.request, claimed_at = excluded.claimed_at, status = null, answer = null
            where i.claimed_at < excluded.claimed_at - interval '24 hours'
                or (i.status is null and i.claimed_at < excluded.claimed_at - interval '2 minutes')
        returning i.claimed_at into claimed;
        if claimed is not null then
            state := 'new';
            return;
        end if;
    end loop;  -- another session has just claimed the key: the second round reads the row of that claim
    state := 'running';  -- another session claimed the key between the select and the insert of the second round too
end $$;
