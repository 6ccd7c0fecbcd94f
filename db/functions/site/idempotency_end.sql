-- Stores the answer to a request that idempotency_claim has claimed. Without a status, the claim is given up, so that
-- the same request can run again. Does nothing if the claim of the time p_claimed has ended, or if the key was claimed
-- again.
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
