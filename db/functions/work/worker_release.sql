-- Releases the items of a worker that stops normally: the items become pending again, and the interrupted attempts are
-- not counted. Returns the number of items.
create or replace function shop_private.worker_release(p_worker uuid)
returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    released integer;
begin
    update shop_private.work w
    set state = 'pending', worker_id = null, batch_size = null,
        attempts = w.attempts - coalesce(w.batch_limit = 1 and w.batch_size is not null, false)::integer
    where w.state = 'leased' and w.worker_id = p_worker;
    get diagnostics released = row_count;
    delete from shop_private.worker k where k.worker_id = p_worker;
    return released;
end $$;
