-- Releases images that a worker has claimed but not fetched, because the host of the images was paused. The arrays are
-- parallel: one element for each image.
create or replace function shop_private.fetch_return(
    p_worker uuid, p_model_id smallint, p_products uuid[], p_positions smallint[]
) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    with locked as materialized (  -- locks rows in the order of product_id and position, as a load does
        select w.ctid
        from shop_private.work w
        join unnest(p_products, p_positions) as i(product_id, "position") using (product_id, "position")
        where w.model_id = p_model_id and w.part = 'image' and w.state = 'leased' and w.worker_id = p_worker
        order by w.product_id, w.position for update of w
    )
    update shop_private.work w set state = 'pending', worker_id = null, batch_size = null
    from locked where w.ctid = locked.ctid;
$$;
