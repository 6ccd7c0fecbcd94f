-- Makes a model's quarantined items pending again, after the cause of their errors was fixed. Returns the number of
-- items.
create or replace function shop_private.work_retry(p_model_id smallint)
returns bigint
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    with again as (
        update shop_private.work w
        set state = 'pending', solo = 0, attempts = 0, due_at = clock_timestamp()
        where w.model_id = p_model_id and w.state = 'quarantined'
        returning 1
    )
    select count(*) from again;
$$;
