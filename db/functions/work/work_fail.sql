-- Records that one item could not be encoded. The encoder calls the function when it knows which item failed. A
-- permanent error (p_final) quarantines the item. After any other error (out of memory, a file that cannot be read),
-- the item is tried again after a delay that grows with each attempt. The item is quarantined after its third attempt.
-- If the item was tried alone, work_claim or work_begin has already counted the attempt. If p_worker has lost the lease
-- of the item, nothing changes. For a host that does not answer, the encoder calls fetch_failed instead.
create or replace function shop_private.work_fail(
    p_worker uuid, p_model_id smallint, p_part shop_private.part, p_product uuid, p_position smallint,
    p_error text, p_final boolean
) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    update shop_private.work w
    set state = case when p_final or n.attempts >= 3 then 'quarantined' else 'pending' end::shop_private.work_state,
        attempts = n.attempts, batch_size = null, worker_id = null, error = left(p_error, 1000),
        due_at = clock_timestamp() + interval '1 second' * n.attempts ^ 3
    from (select item.ctid, item.attempts + (item.batch_limit is distinct from 1 or item.batch_size is null)::integer
          from shop_private.work item
          where item.product_id = p_product and item.model_id = p_model_id and item.part = p_part
            and item.position = p_position
            and item.state = 'leased' and item.worker_id = p_worker
          for update) as n(ctid, attempts)
    where w.ctid = n.ctid;
$$;
