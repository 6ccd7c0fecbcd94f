-- Puts the titles and images of products on the work list of a model again, although no title and no image has changed.
-- The vectors of these titles and images are computed again. The function deletes the content hash of each image;
-- otherwise the image would get the vector of an image with the same bytes. Returns the number of work items.
create or replace function shop_private.work_again(p_model_id smallint, p_products uuid[]) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    items bigint;
begin
    -- Every writer locks products in the order of product_id.
    perform from shop.product p where p.product_id = any (p_products) order by p.product_id for no key update;
    update shop.product_image i set sha256 = null where i.product_id = any (p_products) and i.sha256 is not null;
    insert into shop_private.work (product_id, model_id, part, position, host)
    select p.product_id, p_model_id, 'title'::shop_private.part, 0::smallint, null
    from shop.product p where p.product_id = any (p_products)
    union all
    select i.product_id, p_model_id, 'image'::shop_private.part, i.position,
        shop_private.image_host(i.image_root_id, i.uri)
    from shop.product_image i where i.product_id = any (p_products)
    order by 1, 3, 4
    on conflict (product_id, model_id, part, position) do update
    set state = 'pending', batch_limit = null, batch_size = null, attempts = 0, fetch_failures = 0,
        due_at = excluded.due_at, worker_id = null, error = null, host = excluded.host;
    get diagnostics items = row_count;
    return items;
end $$;
