-- Leases items of one part (image or title) to a worker and returns them: either one item that must be tried alone, or
-- up to p_limit others, oldest first. Before that, the function releases the items of workers that lost their lease.
-- The function cannot know which item stopped such a worker, so each released item is tried alone. An item is
-- quarantined when workers have stopped during three attempts to encode it alone.
create or replace function shop_private.work_claim(
    p_worker uuid, p_model_id smallint, p_part shop_private.part, p_limit integer
) returns table (
    product_id uuid, "position" smallint, attempts smallint, title text, folder text, uri text, phash_known boolean
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    with lost as materialized (
        select w.ctid
        from shop_private.work w
        where w.state = 'leased' and not exists (
            select from shop_private.worker k
            where k.worker_id = w.worker_id and k.lease_expires_at > clock_timestamp())
        for update of w skip locked
    )
    update shop_private.work w
    set state = case when w.attempts >= 3 then 'quarantined' else 'pending' end::shop_private.work_state,
        solo = 1, worker_id = null, due_at = clock_timestamp(),
        error = 'the encoder stopped while it held this item'
    from lost where w.ctid = lost.ctid;

    return query
    with due as materialized (
        (select w.ctid, 1 as solo
         from shop_private.work w
         where w.model_id = p_model_id and w.part = p_part and w.state = 'pending' and w.solo = 1
           and w.due_at <= clock_timestamp()
         order by w.due_at limit 1 for update skip locked)
    ), batch as materialized (
        (select w.ctid, 0 as solo
         from shop_private.work w
         where w.model_id = p_model_id and w.part = p_part and w.state = 'pending' and w.solo = 0
           and w.due_at <= clock_timestamp() and not exists (select from due)
         order by w.due_at limit p_limit for update skip locked)
    ), mine as (
        update shop_private.work w
        set state = 'leased', worker_id = p_worker, attempts = w.attempts + n.solo
        from (select * from due union all select * from batch) n
        where w.ctid = n.ctid
        returning w.product_id, w.position, w.attempts
    )
    select m.product_id, m.position, m.attempts, p.title, r.folder, i.uri, i.phash is not null
    from mine m
    join shop.product p on p.product_id = m.product_id
    left join shop.product_image i
        on p_part = 'image' and i.product_id = m.product_id and i.position = m.position
    left join shop_private.image_root r on r.image_root_id = i.image_root_id;
end $$;
