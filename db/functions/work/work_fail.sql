-- Records that an item could not be encoded, when the encoder knows which item failed. A permanent error (p_final)
-- quarantines the item. After any other error (a server that does not answer, out of memory), the item is tried again
-- after a growing delay. The item is quarantined after its third attempt. work_claim has already counted an attempt
-- that was made alone.
create or replace function shop_private.work_fail(
    p_worker uuid, p_model_id smallint, p_part shop_private.part, p_product uuid, p_position smallint,
    p_error text, p_final boolean
) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    update shop_private.work w
    set state = case when p_final or w.attempts + 1 - w.solo >= 3 then 'quarantined' else 'pending'
                end::shop_private.work_state,
        attempts = w.attempts + 1 - w.solo, worker_id = null, error = left(p_error, 1000),
        due_at = clock_timestamp() + interval '1 second' * (w.attempts + 1 - w.solo) ^ 3
    where w.product_id = p_product and w.model_id = p_model_id and w.part = p_part and w.position = p_position
      and w.state = 'leased' and w.worker_id = p_worker;
$$;
