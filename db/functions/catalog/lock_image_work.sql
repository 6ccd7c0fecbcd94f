-- Locks the work items of images in the order of product_id and position, as work_begin and work_complete do. A load
-- changes work items in several statements. It calls this function first, so that the load and an encoder cannot
-- deadlock. The arrays are parallel: one element for each image.
create or replace function shop_private.lock_image_work(p_products uuid[], p_positions smallint[]) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select from shop_private.work w
    join unnest(p_products, p_positions) as i(product_id, "position") using (product_id, "position")
    where w.part = 'image' order by w.product_id, w.position for update of w;
$$;
