-- Stores the answer to a request whose key idempotency_claim has claimed at the time p_claimed. Without a status, the
-- key is deleted, so that the same request can run again. Does nothing if the key already has an answer, was deleted or
-- was claimed again.
create or replace function shop_private.idempotency_end(
    p_key bytea, p_claimed timestamptz, p_status smallint, p_answer bytea
)
returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    if p_status is null then
        delete from shop_private.idempotency i
        where i.key = p_key and i.claimed_at = p_claimed and i.status is null;
    else
        update shop_private.idempotency i set status = p_status, answer = p_answer
        where i.key = p_key and i.claimed_at = p_claimed and i.status is null;
    end if;
end $$;
