-- Leases titles, or images that are files, to a worker and returns these items. An item has a batch_limit if a worker
-- stopped while it held a batch with the item. If such items are due, the function leases a batch of the items with the
-- largest batch_limit. Otherwise it leases up to p_limit items without a batch_limit, in the order of due_at.
-- fetch_claim leases the images that must be fetched from a host.
--
-- First, the function releases all items of workers that lost their lease, fetched images included. The function cannot
-- know which item of a batch stopped such a worker. Each item of a lost batch is therefore tried next in a batch of at
-- most half the size, down to one item. An item with batch_limit 1 is tried alone. If a worker stops while it tries
-- such an item, and the item has had three or more attempts, the item is quarantined. Failures that work_fail counted
-- are attempts too. A fetched image that was not in a batch yet (see work_begin) cannot have stopped its worker, so its
-- batch_limit stays.
create or replace function shop_private.work_claim(
    p_worker uuid, p_model_id smallint, p_part shop_private.part, p_limit integer
) returns table (
    product_id uuid, "position" smallint, attempts smallint, batch_limit smallint, title text, folder text, uri text,
    host text
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    items tid[];
    smaller smallint;
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
    set state = case when w.batch_size = 1 and w.batch_limit = 1 and w.attempts >= 3 then 'quarantined'
                     else 'pending' end::shop_private.work_state,
        batch_limit = case when w.batch_size is null then w.batch_limit else greatest(w.batch_size / 2, 1) end,
        error = case when w.batch_size is null then w.error else 'the encoder stopped while it held this item' end,
        batch_size = null, worker_id = null, due_at = clock_timestamp()
    from lost where w.ctid = lost.ctid;

    -- The largest batches come first. Most items of a lost batch can be encoded, and large batches encode them soonest.
    select w.batch_limit into smaller
    from shop_private.work w
    where w.model_id = p_model_id and w.part = p_part and w.host is null and w.state = 'pending'
      and w.batch_limit is not null and w.due_at <= clock_timestamp()
    order by w.batch_limit desc limit 1;
    if found then
        items := array(
            select w.ctid from shop_private.work w
            where w.model_id = p_model_id and w.part = p_part and w.host is null and w.state = 'pending'
              and w.batch_limit = smaller and w.due_at <= clock_timestamp()
            order by w.due_at limit least(p_limit, smaller) for update skip locked);
    end if;
    if coalesce(cardinality(items), 0) = 0 then
        items := array(
            select w.ctid from shop_private.work w
            where w.model_id = p_model_id and w.part = p_part and w.host is null and w.state = 'pending'
              and w.batch_limit is null and w.due_at <= clock_timestamp()
            order by w.due_at limit p_limit for update skip locked);
    end if;

    return query
    with mine as (
        update shop_private.work w
        set state = 'leased', worker_id = p_worker, batch_size = cardinality(items),
            attempts = w.attempts + (w.batch_limit is not distinct from 1)::integer
        where w.ctid = any (items)
        returning w.product_id, w.position, w.attempts, w.batch_limit, w.host
    )
    select m.product_id, m.position, m.attempts, m.batch_limit, p.title, r.folder, i.uri, m.host
    from mine m
    join shop.product p on p.product_id = m.product_id
    left join shop.product_image i
        on p_part = 'image' and i.product_id = m.product_id and i.position = m.position
    left join shop_private.image_root r on r.image_root_id = i.image_root_id;
end $$;
