-- Releases images that a worker has claimed but not fetched, because the host of the images was paused. The arrays are
-- parallel: one element for each image.
create or replace function shop_private.fetch_return(
    p_worker uuid, p_model_id smallint, p_products uuid[], p_positions smallint[]
) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    update shop_private.work w
    set state = 'pending', worker_id = null, batch_size = null
    from unnest(p_products, p_positions) as i(product_id, "position")
    where w.product_id = i.product_id and w.position = i.position and w.model_id = p_model_id and w.part = 'image'
      and w.state = 'leased' and w.worker_id = p_worker;
$$;
