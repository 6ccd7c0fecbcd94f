-- Adds a work item for one part of a product for every model that is building or serving. An existing item starts over,
-- and its worker loses the lease of this item. A vector of the old title or image is therefore never stored as the
-- vector of the new title or image.
create or replace function shop_private.work_enqueue(p_product_id uuid, p_part shop_private.part, p_position smallint)
returns void language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into shop_private.work (product_id, model_id, part, position, host)
    select p_product_id, m.model_id, p_part, p_position, shop_private.image_host(i.image_root_id, i.uri)
    from shop.model m
    left join shop.product_image i on p_part = 'image' and i.product_id = p_product_id and i.position = p_position
    where m.status in ('building', 'serving')
    on conflict (product_id, model_id, part, position) do update
    set state = 'pending', batch_limit = null, batch_size = null, attempts = 0, fetch_failures = 0,
        due_at = excluded.due_at, worker_id = null, error = null, host = excluded.host;
$$;
